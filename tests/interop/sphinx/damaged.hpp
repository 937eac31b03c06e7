#pragma once
// Packets that no honest sender makes, given to both.
#include "interop/sphinx/comparison.hpp"

namespace village::interop {

/// damaged_bits flips a bit of every byte of the header and of some of the payload of one random packet, at a
/// random hop, and then all bits of alpha.
void damaged_bits(Comparison& both);
/// damaged_lengths cuts and lengthens one packet. Ours alone refuses what is not of its profile.
void damaged_lengths(Comparison& both);
/// forged_slots: every flag, versions and first version bytes, behind MACs that hold.
void forged_slots(Comparison& both);
/// forged_points: low order, non-canonical, bit 255.
void forged_points(Comparison& both);
/// forged_payloads: leading bytes, end marks, tails.
void forged_payloads(Comparison& both);

}  // namespace village::interop
