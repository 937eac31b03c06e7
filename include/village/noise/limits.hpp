#pragma once
// Bounds of Noise. Source: Noise revision 34, sections 3, 8 and 9.
#include <cstddef>

namespace village::noise::limits {

inline constexpr std::size_t message_bytes_max = 65'535;  ///< handshake or transport message
inline constexpr std::size_t protocol_name_bytes_max = 255;
inline constexpr std::size_t pattern_messages_max = 4;  ///< handshake messages of any pattern
inline constexpr std::size_t pattern_tokens_max = 8;    ///< tokens of one message, modifiers included
inline constexpr std::size_t psks_max = pattern_messages_max + 1;  ///< psk0 to psk4 at once

}  // namespace village::noise::limits
