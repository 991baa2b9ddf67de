/* The fleet's rules: what the shape of a shop's database asks for, as its admin would set it. */
#ifndef SIM_RULING_H
#define SIM_RULING_H

#include "sim.h"

/* The columns that count: before anybody writes. */
void ruling_count(struct sim *s);
/* All the other ones, once all PCs are members. */
void ruling_found(struct sim *s);
/* Rules will change: no journal tells what a file shows of what may stay on its PC now. */
void ruling_expect(struct shape *shape);
/* One rule goes or comes, sometimes: of what stays on each PC, what names a row, which rows are
 * one. */
void ruling_happen(struct rng *r, struct sim *s);
/* The rules change: this column counts, or does not any more. */
void ruling_change_count(struct sim *s, uint32_t table, uint32_t column, bool counts);

#endif
