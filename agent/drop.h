/* Drop: the folder through which PCs that share no network exchange files.
 *
 *     entrant/            files for us; each is imported when it is whole and has been still for a
 * moment sortant/            where `agent-cli drop export` writes archive/            imported
 * files archive/rejected/   files that were refused, each with a NAME.reason.txt beside it logs/
 * not ours
 *
 * Only plain files named *.json are looked at. JSON that is none of ours (an ERP's own export)
 * stays where it is. */
#ifndef NAVETTE_DROP_H
#define NAVETTE_DROP_H

struct agent;
struct drop;

/* NULL when no folder is set. */
struct drop *drop_start(struct agent *a);
void drop_stop(struct drop *d);

#endif
