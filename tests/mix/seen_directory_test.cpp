#include "village/mix/seen_directory.hpp"

#include <gtest/gtest.h>

#include "mix/directory_world.hpp"

namespace village::mix {
namespace {

using test::document_of;

DocumentFault fault_of(const Result<void>& result) {
  EXPECT_FALSE(result.has_value());
  return result ? DocumentFault{} : static_cast<DocumentFault>(result.error().detail);
}

TEST(SeenDirectory, GoesForwardOnly) {
  SeenDirectory seen;
  EXPECT_EQ(seen.newest(), 0U);
  ASSERT_TRUE(seen.accept(document_of(100, 4, 1)).has_value());
  ASSERT_TRUE(seen.accept(document_of(101, 4, 1)).has_value());
  EXPECT_EQ(seen.newest(), 101U);
  EXPECT_TRUE(seen.accept(document_of(100, 4, 1)).has_value());  // known, and still of use
  EXPECT_EQ(fault_of(seen.accept(document_of(99, 4, 1))), DocumentFault::rolled_back);
}

TEST(SeenDirectory, RefusesASecondDocumentOfAnEpoch) {
  SeenDirectory seen;
  ASSERT_TRUE(seen.accept(document_of(100, 4, 1)).has_value());
  EXPECT_EQ(fault_of(seen.accept(document_of(100, 3, 1))), DocumentFault::contradicts);
}

TEST(SeenDirectory, RefusesNodesWithLowerSequenceNumbers) {
  SeenDirectory seen;
  auto document = document_of(100, 4, 1);
  document.nodes[2].sequence = 7;
  ASSERT_TRUE(seen.accept(document).has_value());
  EXPECT_EQ(fault_of(seen.accept(document_of(101, 4, 1))), DocumentFault::rolled_back);
  auto later = document_of(101, 4, 1);
  later.nodes[2].sequence = 7;
  EXPECT_TRUE(seen.accept(later).has_value());
}

TEST(SeenDirectory, SurvivesTheWayThroughText) {
  SeenDirectory seen;
  for (Epoch epoch = 100; epoch < 106; ++epoch)
    ASSERT_TRUE(seen.accept(document_of(epoch, 4, 1)).has_value());
  const auto read = SeenDirectory::parse(as_bytes(seen.to_json()));
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->to_json(), seen.to_json());
  EXPECT_EQ(read->newest(), 105U);
  EXPECT_EQ(fault_of(read->check(document_of(105, 3, 1))), DocumentFault::contradicts);
  EXPECT_FALSE(SeenDirectory::parse(as_bytes("{}")).has_value());
  EXPECT_FALSE(SeenDirectory::parse({}).has_value());
}

TEST(SeenDirectory, RemembersABoundedNumberOfNodes) {
  SeenDirectory seen;
  for (Epoch epoch = 1; epoch <= 6; ++epoch) {
    auto document = document_of(epoch, 1, 0);
    document.nodes.clear();
    SeededRandom random{epoch};
    for (std::size_t i = 0; i < limits::nodes_max; ++i) {
      auto node = test::descriptor_of(1, epoch);
      random.fill(node.key);
      document.nodes.push_back(node);
    }
    ASSERT_TRUE(seen.accept(document).has_value());
  }
  const auto read = SeenDirectory::parse(as_bytes(seen.to_json()));
  ASSERT_TRUE(read.has_value());
  std::size_t nodes = 0;
  const auto text = seen.to_json();
  for (std::size_t at = text.find("\"id\""); at != std::string::npos; at = text.find("\"id\"", at + 1))
    ++nodes;
  EXPECT_EQ(nodes, limits::seen_nodes_max);
}

}  // namespace
}  // namespace village::mix
