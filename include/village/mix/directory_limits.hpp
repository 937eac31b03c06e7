#pragma once
// Bounds of the directory: what a node, an authority or a file can make this side keep. Source:
// decisions/mix, Directory.
#include <cstddef>
#include <cstdint>

namespace village::mix::limits {

inline constexpr std::size_t nodes_max = 1'024;             ///< of one document
inline constexpr std::size_t descriptor_bytes_max = 2'048;  ///< with its signature
inline constexpr std::size_t document_bytes_max = 3 << 20;  ///< with its signatures
inline constexpr std::size_t statement_bytes_max = document_bytes_max;
static_assert(nodes_max * (descriptor_bytes_max + 1) + (1 << 16) < statement_bytes_max);
inline constexpr std::size_t directory_depth_max = 8;  ///< of nested objects and arrays
/// Values in one descriptor and in one document; a value costs at most 80 bytes of memory beside its text.
inline constexpr std::size_t descriptor_values_max = 96;
inline constexpr std::size_t document_values_max = descriptor_values_max * nodes_max;

inline constexpr std::size_t authorities_max = 9;
inline constexpr std::size_t documents_kept = 8;   ///< that an authority can be asked for
inline constexpr std::size_t reports_max = 256;    ///< that wait to be taken
inline constexpr std::size_t signatures_max = 16;  ///< listed in one document, counted or not
inline constexpr std::size_t sphinx_keys_max = 3;  ///< epochs that a descriptor has keys for
inline constexpr std::size_t vrf_proofs_max = 2;   ///< of past epochs in a descriptor
inline constexpr std::size_t profiles_max = 4;
inline constexpr std::size_t operator_bytes_max = 64;
inline constexpr std::size_t software_bytes_max = 64;
inline constexpr std::uint64_t capacity_pps_max = 100'000'000;
inline constexpr std::uint64_t delay_max_ns = 3'600'000'000'000;  ///< an hour: any interval of a document

// Of nodes that an open directory takes though nobody named them (src/mix/node_book.hpp says why).
inline constexpr std::size_t open_network_nodes_max = 8;        ///< of one /16 (IPv4) or /32 (IPv6)
inline constexpr std::uint64_t open_capacity_pps_max = 20'000;  ///< that one of them may claim

inline constexpr std::size_t seen_nodes_max = 4 * nodes_max;  ///< whose sequence numbers are remembered
inline constexpr std::size_t path_steps_max = 4'096;          ///< spent on one path before it is given up

}  // namespace village::mix::limits
