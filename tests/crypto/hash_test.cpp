#include "village/crypto/hash.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "support/allocations.hpp"
#include "support/vectors.hpp"
#include "village/base/random.hpp"

namespace village::crypto {
namespace {

constexpr HashAlgorithm every_algorithm[] = {HashAlgorithm::sha256, HashAlgorithm::sha512,
                                             HashAlgorithm::blake2s, HashAlgorithm::blake2b};

std::string hex_of(HashAlgorithm algorithm, std::string_view text) {
  return to_hex(hash(algorithm, as_bytes(text)).view());
}

TEST(Hash, Sha2ExamplesOfFips180) {
  EXPECT_EQ(hex_of(HashAlgorithm::sha256, "abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hex_of(HashAlgorithm::sha256, "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(hex_of(HashAlgorithm::sha256, ""),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(hex_of(HashAlgorithm::sha256, std::string(1'000'000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  EXPECT_EQ(hex_of(HashAlgorithm::sha512, "abc"),
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
            "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
  EXPECT_EQ(hex_of(HashAlgorithm::sha512,
                   "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
                   "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu"),
            "8e959b75dae313da8cf4f72814fc143f8f7779c6eb9f7fa17299aeadb6889018"
            "501d289e4900f7e4331b99dec4b5433ac7d329eeb6dd26545e96e55b874be909");
}

TEST(Hash, Blake2ExamplesOfRfc7693) {
  EXPECT_EQ(hex_of(HashAlgorithm::blake2b, "abc"),  // appendix A
            "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1"
            "7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923");
  EXPECT_EQ(hex_of(HashAlgorithm::blake2s, "abc"),  // appendix B
            "508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982");
}

struct HmacCase {
  Bytes key;
  Bytes message;
  const char *sha256, *sha512;
};

std::vector<HmacCase> rfc4231() {
  Bytes counting;
  for (int i = 1; i <= 25; ++i) counting.push_back(static_cast<std::byte>(i));
  return {
      {Bytes(20, std::byte{0x0b}), to_bytes("Hi There"),  // 4.2
       "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
       "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde"
       "daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854"},
      {to_bytes("Jefe"), to_bytes("what do ya want for nothing?"),  // 4.3
       "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
       "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
       "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737"},
      {Bytes(20, std::byte{0xaa}), Bytes(50, std::byte{0xdd}),  // 4.4
       "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
       "fa73b0089d56a284efb0f0756c890be9b1b5dbdd8ee81a3655f83e33b2279d39"
       "bf3e848279a722c806b485a47e67c807b946a337bee8942674278859e13292fb"},
      {counting, Bytes(50, std::byte{0xcd}),  // 4.5
       "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
       "b0ba465637458c6990e5a8c5f61d4af7e576d97ff94b872de76f8050361ee3db"
       "a91ca5c11aa25eb4d679275cc5788063a5f19741120c4f2de2adebeb10a298dd"},
      {Bytes(131, std::byte{0xaa}),
       to_bytes("Test Using Larger Than Block-Size Key - Hash Key First"),  // 4.7
       "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
       "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f352"
       "6b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598"},
      {Bytes(131, std::byte{0xaa}),  // 4.8
       to_bytes("This is a test using a larger than block-size key and a larger than block-size data. The "
                "key needs "
                "to be hashed before being used by the HMAC algorithm."),
       "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
       "e37b6a775dc87dbaa4dfa9f96e5e3ffddebd71f8867289865df5a32d20cdc944"
       "b6022cac3c4982b10d5eeb55c3e4de15134676fb6de0446065c97440fa8c6a58"},
  };
}

TEST(Hmac, ExamplesOfRfc4231) {
  for (const auto& test : rfc4231()) {
    EXPECT_EQ(to_hex(hmac(HashAlgorithm::sha256, test.key, {test.message}).view()), test.sha256);
    EXPECT_EQ(to_hex(hmac(HashAlgorithm::sha512, test.key, {test.message}).view()), test.sha512);
  }
}

TEST(Hmac, Blake2IsRfc2104OverTheUnkeyedHash) {
  // Values of Python's hmac module over hashlib.blake2s and blake2b.
  const Bytes long_key(131, std::byte{0xaa});
  EXPECT_EQ(to_hex(hmac(HashAlgorithm::blake2s, as_bytes("key"), {as_bytes("abc")}).view()),
            "0018bfddc0c878b3e270c6e59b35af01e164a42d89499c9447a90b58a4d60eb3");
  EXPECT_EQ(to_hex(hmac(HashAlgorithm::blake2b, as_bytes("key"), {as_bytes("abc")}).view()),
            "05cc4815438d5cfe68fff446b8df57828cc96189de4b4e928e3f06d815d64e5b"
            "c15124a02ffd39859b3e2476da03bc0235ca86df623af2a5631779809e9fd04a");
  EXPECT_EQ(to_hex(hmac(HashAlgorithm::blake2s, long_key, {as_bytes("abc")}).view()),
            "f4c836f069607e52885580127beb5161743e2fdeec833d3ea408f22be09cac37");
  EXPECT_EQ(to_hex(hmac(HashAlgorithm::blake2b, long_key, {as_bytes("abc")}).view()),
            "ea7e959c84fe9b17bebe67d4a4c91fdd19ac268255d10a689d960cca41729e5c"
            "ed69194b4b9b2cba99591857c81a8b04bf2bd2aecd540e63c10fe1947440b48e");
}

TEST(Hkdf, ExamplesOfRfc5869) {
  Bytes okm(42);
  const auto ikm = Bytes(22, std::byte{0x0b});
  const auto prk = hkdf_extract(HashAlgorithm::sha256, test::hex("000102030405060708090a0b0c"), ikm);  // A.1
  EXPECT_EQ(to_hex(prk.view()), "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5");
  const auto info = test::hex("f0f1f2f3f4f5f6f7f8f9");
  hkdf_expand(HashAlgorithm::sha256, prk.view(), {info}, okm);
  EXPECT_EQ(to_hex(okm),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
  const auto no_salt = hkdf_extract(HashAlgorithm::sha256, {}, ikm);  // A.3
  EXPECT_EQ(to_hex(no_salt.view()), "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04");
  EXPECT_EQ(to_hex(hkdf_extract(HashAlgorithm::sha256, Bytes(32), ikm).view()), to_hex(no_salt.view()));
}

TEST(Hkdf, ExpandIsTheChainOfHmacsForEveryHash) {
  SeededRandom random{9};
  Bytes key(64), info(20);
  random.fill(key);
  random.fill(info);
  for (const auto algorithm : every_algorithm) {
    const auto size = digest_bytes(algorithm);
    Bytes expected;
    Digest last{0};
    for (int i = 1; expected.size() < 255 * size; ++i) {
      const auto counter = static_cast<std::byte>(i);
      last = hmac(algorithm, ByteView{key}.first(size), {last.view(), info, {&counter, 1}});
      expected.insert(expected.end(), last.view().begin(), last.view().end());
    }
    for (const std::size_t length : {std::size_t{0}, std::size_t{1}, size, 2 * size + 1, 255 * size}) {
      Bytes out(length), pieces(length);
      hkdf_expand(algorithm, ByteView{key}.first(size), {info}, out);
      EXPECT_TRUE(std::equal(out.begin(), out.end(), expected.begin()));
      hkdf_expand(algorithm, ByteView{key}.first(size), {ByteView{info}.first(3), ByteView{info}.subspan(3)},
                  pieces);
      EXPECT_EQ(out, pieces);
    }
  }
}

TEST(HkdfDeathTest, MoreThan255DigestsIsOurDefect) {
  Bytes key(32), out(255 * 32 + 1);
  EXPECT_DEATH(hkdf_expand(HashAlgorithm::sha256, key, {}, out), "broken invariant");
}

TEST(Hash, PiecesEqualTheWhole) {
  SeededRandom random{4};
  Bytes data(500);
  random.fill(data);
  const ByteView view{data};
  for (const auto algorithm : every_algorithm) {
    const auto whole = to_hex(hash(algorithm, view).view());
    EXPECT_EQ(to_hex(hash(algorithm, {view.first(77), {}, view.subspan(77)}).view()), whole);
    HashStream stream{algorithm};
    for (int round = 0; round < 2; ++round) {  // finish starts anew
      for (std::size_t at = 0; at < data.size();) {
        const auto take = std::min<std::size_t>(random.below(100), data.size() - at);
        stream.update(view.subspan(at, take));
        at += take;
      }
      EXPECT_EQ(to_hex(stream.finish().view()), whole);
    }
    HashStream moved = std::move(stream);
    moved.update(view);
    EXPECT_EQ(to_hex(moved.finish().view()), whole);
  }
  EXPECT_EQ(to_hex(sha256({view.first(9), view.subspan(9)})),
            to_hex(hash(HashAlgorithm::sha256, view).view()));
}

TEST(Hash, StreamsAndCallsOfOneThreadDoNotMix) {
  HashStream stream{HashAlgorithm::sha256};
  stream.update(as_bytes("a"));
  (void)hmac(HashAlgorithm::sha256, as_bytes("k"), {as_bytes("m")});
  (void)sha256(as_bytes("x"));
  stream.update(as_bytes("bc"));
  EXPECT_EQ(to_hex(stream.finish().view()),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Hash, ThreadsDoNotDisturbEachOther) {
  const Bytes data(1000, std::byte{7});
  const auto expected = to_hex(sha256(data));
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 500; ++round) wrong += to_hex(sha256(data)) == expected ? 0 : 1;
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong.load(), 0);
}

TEST(Hash, AllocatesAtMostOnceForEachDigest) {
  const Bytes key(32), data(100);
  for (const auto algorithm : every_algorithm) {
    (void)hash(algorithm, data);
    const auto before = test::allocation_count();
    (void)hash(algorithm, data);
    const auto between = test::allocation_count();
    (void)hmac(algorithm, key, {data, data});
    EXPECT_LE(between - before, 1U);
    EXPECT_LE(test::allocation_count() - between, 2U);
  }
}

}  // namespace
}  // namespace village::crypto
