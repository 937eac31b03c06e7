#pragma once
// What one key's table row cannot see: values that must fit one another, the files they name, and this
// machine.
#include <sys/resource.h>

#include "control/document.hpp"
#include "control/problems.hpp"
#include "village/control/config.hpp"

namespace village::control {

/// check_mix does so for the section `mix`.
void check_mix(const Config& config, const Document& document, Problems& problems);

/// check_references compares values with one another. Touches nothing outside.
void check_references(const Config& config, const Document& document, Problems& problems);

/// complete fills in what follows from other keys: relative paths, the control socket, the ways out that are
/// always there.
void complete(Config& config);

/// check_files reads identity and certificates of a completed configuration and sets htx.identity.
void check_files(Config& config, const Document& document, Problems& problems);

/// descriptors_needed is the number of descriptors that the limits of a configuration allow to be open at
/// once.
std::uint64_t descriptors_needed(const Config& config);
/// fit_descriptors lowers limits that were not set to what the process may open (and warns), and complains
/// when those that were set do not fit.
void fit_descriptors(Config& config, const Document& document, rlim_t allowed, Problems& problems);

/// load_shape makes htx.session.shape of htx.shape. Files are read only when `files`.
void load_shape(Config& config, const Document& document, bool files, Problems& problems);

}  // namespace village::control
