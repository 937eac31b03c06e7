#include "village/service/tunnel_limits.hpp"

#include "village/base/limits.hpp"

namespace village::service::limits {
namespace {

constexpr village::limits::Row rows[] = {
    {"htx", "tunnel_idle_read_bytes", 1, tunnel_idle_read_bytes, "read buffer of an idle session"},
    {"htx", "tunnel_io_buffers", 2, tunnel_io_buffer_bytes, "per busy session: one to read into, one to write from"},
    {"htx", "tunnel_io_buffers_kept_max", tunnel_io_buffers_kept_max, tunnel_io_buffer_bytes, "per core, free list"},
    {"htx", "tunnel_queue_blocks_kept_max", tunnel_queue_blocks_kept_max, tunnel_queue_block_bytes,
     "per core, free list of receive queues"},
    {"htx", "tunnel_dials_waiting_max", tunnel_dials_waiting_max, 1'024, "per peer and core: dials before a session"},
    {"htx", "tunnel_early_bytes_max", 1, tunnel_early_bytes_max, "per handshake: frames right behind it"},
    {"htx", "tunnel_header_bytes_max", 1, tunnel_header_bytes_max, "per stream: header"},
};
[[maybe_unused]] const bool declared = village::limits::declare(rows);

}  // namespace
}  // namespace village::service::limits
