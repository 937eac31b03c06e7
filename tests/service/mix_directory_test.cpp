#include "mix_directory_world.hpp"
#include "service/mix_directory_store.hpp"
#include "service/whole_file.hpp"

namespace village::service {
namespace {

using test::MixDirectoryWorld;
constexpr auto first = MixDirectoryWorld::first;
constexpr auto epochs = MixDirectoryWorld::epochs;

TEST(MixDirectory, BringsEveryNodeTheDocumentOfTheNextEpoch) {
  MixDirectoryWorld world{3, 2};
  std::vector<MixDirectoryWorld::Node*> nodes;
  for (std::uint64_t n = 1; n <= 4; ++n) nodes.push_back(&world.add_node(n, {n < 4, n == 4, false}));
  auto& client = world.add_node(0);
  ASSERT_TRUE(world.until([&] {
    for (std::size_t i = 0; i < 3; ++i) {
      if (world.authority(i).status().descriptors != 4) return false;
    }
    return nodes[0]->directory->status().published_to == 3;
  }));
  EXPECT_EQ(client.directory->views().current, nullptr);
  EXPECT_TRUE(world.until([&] { return !client.directory->status().problem.empty(); }));
  world.make_document(first + 1);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(world.authority(i).status().published, first + 1);
    EXPECT_TRUE(world.authority(i).status().last_reports.empty());
  }
  // The last fifth begins: each fetches it some time in there.
  world.core().turn(epochs.start(first + 1) - 1ms);
  world.core().turn(epochs.start(first + 1) + 1ms);
  ASSERT_TRUE(world.until([&] {
    return client.directory->views().current != nullptr && nodes[0]->directory->views().current != nullptr;
  }));
  const auto view = client.directory->views().current;
  EXPECT_EQ(view->epoch(), first + 1);
  EXPECT_EQ(view->nodes().size(), 4U);
  EXPECT_EQ(client.directory->views().of(first + 1), view.get());
  EXPECT_EQ(client.directory->views().of(first + 2), nullptr);
  SeededRandom random{1};
  EXPECT_TRUE(mix::choose_path(*view, mix::test::descriptor_of(4, first).id(), random).has_value());
  EXPECT_TRUE(world.until([&] { return client.directory->status().problem.empty(); }));
  EXPECT_LT(std::chrono::abs(client.directory->status().clock_skew), 5s);
}

TEST(MixDirectory, FetchesTheNextDocumentBeforeItsEpochAndChangesInTime) {
  MixDirectoryWorld world{1, 1};
  auto& node = world.add_node(1);
  ASSERT_TRUE(world.until([&] { return world.authority(0).status().descriptors == 1; }));
  world.make_document(first + 1);
  world.core().turn(epochs.start(first + 1) + 1ms);
  ASSERT_TRUE(world.until([&] { return node.directory->status().current; }));
  world.core().turn(epochs.start(first + 1) + 31s);  // by now it has published itself anew
  world.make_document(first + 2);
  // Its moment is by the monotonic clock, which the test does not turn: a fresh node plans within what is
  // left.
  world.core().turn(epochs.start(first + 2) - 1s);
  auto& late = world.add_node(0);
  ASSERT_TRUE(world.until([&] { return late.directory->status().next; }));
  EXPECT_TRUE(late.directory->status().current);
  world.core().turn(epochs.start(first + 2) + 1ms);
  ASSERT_TRUE(world.until([&] {
    const auto views = late.directory->views();
    return views.current && views.current->epoch() == first + 2 && views.previous && !views.next;
  }));
  world.core().turn(epochs.start(first + 5));  // nothing was made for this
  EXPECT_TRUE(world.until([&] { return !late.directory->status().current; }));
  EXPECT_EQ(late.directory->views().current, nullptr);
  EXPECT_GE(late.changes, 3);  // a document, the next, another epoch, none
}

TEST(MixDirectory, WorksFromWhatItKeptWithoutAuthorities) {
  MixDirectoryWorld world{1, 1};
  const control::TemporaryFolder folder;
  auto& node = world.add_node(1, {true, false, false}, folder.path(""));
  ASSERT_TRUE(world.until([&] { return world.authority(0).status().descriptors == 1; }));
  world.make_document(first + 1);
  world.core().turn(epochs.start(first + 1) + 1ms);
  ASSERT_TRUE(world.until([&] { return node.directory->status().current; }));
  world.stop(node);
  MixDirectoryStore store{authority_set(world.entries(), 1), epochs, folder.path("")};
  EXPECT_EQ(store.load(world.core().wall()), "");
  EXPECT_NE(store.views_at(world.core().wall()).current, nullptr);
  EXPECT_EQ(store.views_at(epochs.start(first + 3)).current, nullptr);
}

TEST(MixDirectory, WaitsForADocument) {
  MixDirectoryWorld world{1, 1};
  auto& node = world.add_node(1);
  ASSERT_TRUE(world.until([&] { return world.authority(0).status().descriptors == 1; }));
  world.make_document(first + 1);
  world.on_core([&]() -> test::asio::awaitable<void> {
    const auto none = co_await node.directory->wait_current(net::after(world.core(), 1ms));
    EXPECT_EQ(none.error().code, Errc::timed_out);
    world.core().turn(epochs.start(first + 1) + 1ms);
    const auto view = co_await node.directory->wait_current(net::after(world.core(), 20s));
    EXPECT_TRUE(view.has_value());
  });
}

class StoreWorld {
 public:
  explicit StoreWorld(std::string folder)
      : store_{mix::test::authorities_of(3, 2), mix::test::test_epochs, folder} {}
  Result<void> accept(const mix::SignedDocument& document) {
    return store_.accept(document, document.document.epoch);
  }
  MixDirectoryStore& store() { return store_; }

 private:
  MixDirectoryStore store_;
};

mix::SignedDocument document_of(mix::Epoch epoch, std::size_t mixes = 4) {
  return mix::test::signed_by(mix::test::document_of(epoch, mixes, 1), 2);
}

TEST(MixDirectoryStore, RefusesWhatLeadsBackAlsoAfterARestart) {
  const control::TemporaryFolder folder;
  const auto now = mix::test::test_epochs.start(101) + 1s;
  {
    StoreWorld world{folder.path("")};
    ASSERT_TRUE(world.accept(document_of(100)).has_value());
    ASSERT_TRUE(world.accept(document_of(101)).has_value());
  }
  StoreWorld world{folder.path("")};
  EXPECT_EQ(world.store().load(now), "");
  EXPECT_TRUE(world.store().has(100) && world.store().has(101));
  const auto back = world.accept(document_of(99));
  EXPECT_EQ(back.error(), fail(Errc::protocol, static_cast<std::uint32_t>(mix::DocumentFault::rolled_back)));
  const auto other = world.accept(document_of(101, 3));
  EXPECT_EQ(other.error(), fail(Errc::protocol, static_cast<std::uint32_t>(mix::DocumentFault::contradicts)));
  EXPECT_TRUE(world.accept(document_of(102)).has_value());
}

TEST(MixDirectoryStore, RefusesForgedAndMisdatedDocuments) {
  StoreWorld world{""};
  auto forged = document_of(100);
  forged.document.parameters.hops = 1;
  EXPECT_EQ(world.accept(forged).error().code, Errc::bad_signature);
  EXPECT_EQ(world.accept(mix::test::signed_by(document_of(100).document, 1)).error().code,
            Errc::bad_signature);
  EXPECT_EQ(world.store().accept(document_of(100), 101).error(),
            fail(Errc::protocol, static_cast<std::uint32_t>(mix::DocumentFault::wrong_epoch)));
}

TEST(MixDirectoryStore, UsesNoFileThatWasTamperedWith) {
  const control::TemporaryFolder folder;
  const auto now = mix::test::test_epochs.start(100) + 1s;
  {
    StoreWorld world{folder.path("")};
    ASSERT_TRUE(world.accept(document_of(100)).has_value());
  }
  auto text = *read_whole_file(folder.path("document-100.json"), 1 << 20);
  text.replace(text.find("\"hops\":4"), 8, "\"hops\":1");
  folder.write("document-100.json", text);
  StoreWorld world{folder.path("")};
  EXPECT_EQ(world.store().load(now), "");
  EXPECT_FALSE(world.store().has(100));
  folder.write("seen.json", "{\"documents\":[");
  StoreWorld damaged{folder.path("")};
  EXPECT_NE(damaged.store().load(now), "");
}

TEST(MixDirectoryStore, DoesNotUseWhatItCannotKeep) {
  StoreWorld world{"/nonexistent/folder"};
  EXPECT_EQ(world.accept(document_of(100)).error().code, Errc::io);
  EXPECT_FALSE(world.store().has(100));
}

TEST(MixDirectoryStore, DropsOldDocumentsFromMemoryAndDisk) {
  const control::TemporaryFolder folder;
  StoreWorld world{folder.path("")};
  for (mix::Epoch epoch = 100; epoch < 104; ++epoch)
    ASSERT_TRUE(world.accept(document_of(epoch)).has_value());
  const auto views = world.store().views_at(mix::test::test_epochs.start(102) + 1s);
  EXPECT_TRUE(views.previous && views.current && views.next);
  EXPECT_EQ(views.current->epoch(), 102U);
  EXPECT_FALSE(std::filesystem::exists(folder.path("document-100.json")));
  EXPECT_TRUE(std::filesystem::exists(folder.path("document-101.json")));
}

}  // namespace
}  // namespace village::service
