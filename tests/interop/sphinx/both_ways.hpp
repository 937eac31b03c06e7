#pragma once
// What one side makes and both open; each function is one random case (surb_of_any_length: all lengths).
#include "interop/sphinx/comparison.hpp"

namespace village::interop {

void our_packet(Comparison& both);
void their_packet(Comparison& both);
void reply_to_our_surb(Comparison& both);
void reply_to_their_surb(Comparison& both);
void reply_in_our_form(Comparison& both);
void surb_of_any_length(Comparison& both);

}  // namespace village::interop
