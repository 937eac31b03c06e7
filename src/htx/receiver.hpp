#pragma once
// Receiver: frames in. Cuts the byte stream into frames, judges Len before anything else, decrypts in place,
// and follows the peer's key updates at the rate that the rule allows.
#include "htx/key_update_budget.hpp"
#include "village/htx/frame.hpp"
#include "village/htx/keys.hpp"

namespace village::htx {

/// Incoming is one authenticated frame; `plaintext` lies in the caller's buffer.
struct Incoming {
  FrameHeader header;
  ByteSpan plaintext;
};

class Receiver {
 public:
  Receiver(crypto::AeadAlgorithm algorithm, crypto::Secret<32> traffic_secret, Instant now)
      : opener_{algorithm, std::move(traffic_secret)}, budget_{KeyUpdateBudget::for_receiver(now)} {}

  /// next takes the frame at the start of `in`. Errors: truncated (not all of it is there; nothing was
  /// touched), malformed (Len), bad_tag.
  Result<Incoming> next(ByteSpan in) {
    VG_TRY(size, frame_size(in));
    if (in.size() < size) return fail(Errc::truncated, in.size());
    VG_TRY(plaintext, opener_.open(in.first(size)));
    return Incoming{decode_header(in.first<frame_header_bytes>()), plaintext};
  }
  /// update_key follows a KEY_UPDATE: the next frame is under the next key. false: too often.
  [[nodiscard]] bool update_key(Instant now) {
    if (!budget_.spend(opener_.usage(), now)) return false;
    opener_.update();
    return true;
  }
  /// rekey follows the frame of a re-handshake behind which the peer changes its key.
  void rekey(const crypto::Secret<32>& fresh) { opener_.rekey(fresh); }

 private:
  RecordOpener opener_;
  KeyUpdateBudget budget_;
};

}  // namespace village::htx
