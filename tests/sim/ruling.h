/* The fleet's rules: what the shape of a shop's database asks for, as its admin would set it. */
#ifndef SIM_RULING_H
#define SIM_RULING_H

#include "sim.h"

/* The columns that count: before anybody writes. */
void ruling_count(struct sim *s);
/* All the other ones, once all PCs are members. */
void ruling_found(struct sim *s);
/* The rules change: this column counts, or does not any more. */
void ruling_change_count(struct sim *s, uint32_t table, uint32_t column, bool counts);

#endif
