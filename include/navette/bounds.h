/* Everything a peer, a file or a person can influence has its maximum here. */
#ifndef NAVETTE_BOUNDS_H
#define NAVETTE_BOUNDS_H

#define NAME_BYTES_MAX         64          /* site and fleet names, UTF-8 */
#define IDENTIFIER_BYTES_MAX   256         /* table and column names */
#define SITES_MAX              256         /* members of a fleet, those that were revoked aside */
#define SITES_EVER_MAX         1024        /* sites that a roster can speak of */
#define ACTORS_MAX             1024        /* actors in a have-vector */
#define ACTORS_SHARED          512         /* of these, for whoever comes; the rest is kept */
#define ACTORS_NAMED           768         /* likewise, for those that others merely name */
#define ACTORS_OWN             32          /* for authors who have not so many yet */
#define TABLES_MAX             2000        /* tables in a database or change-set */
#define COLUMNS_MAX            2000        /* columns in a table (SQLite's own default limit) */
#define KEY_COLUMNS_MAX        16          /* columns in a primary key */
#define CELL_TOTALS_MAX        1024        /* running totals that a counter's cell can hold */
#define ROW_TOTALS_MAX         8192        /* seen totals in all cells of one row of a body */
#define CUT_ROWS_MAX           100000      /* rows in one change-set */
#define HEADER_BYTES_MAX       131072      /* encoded change-set header: ACTORS_MAX needs fit */
#define BODY_BYTES_MAX         (64u << 20) /* encoded change-set body */
#define BODY_BYTES_SOFT        (48u << 20) /* a drain closes its change-set here, at a row's end */
#define BODY_BYTES_FULL        (56u << 20) /* ours are closed before a row leads beyond it */
#define VALUE_BYTES_MAX        (16u << 20) /* one text or blob; longer ones are refused by name */
#define KEY_BYTES_MAX          VALUE_BYTES_MAX        /* texts and blobs of a row's primary key */
#define ROW_BYTES_MAX          (16 * VALUE_BYTES_MAX) /* texts and blobs of a row; likewise */
#define CHANGESET_BYTES_MAX    (BODY_BYTES_MAX + HEADER_BYTES_MAX + 128u)
#define KEYS_BYTES_MAX         (32u << 20) /* a member's local keys, for a newcomer */
#define KEYS_BYTES_MIN         3           /* of none */
#define PICKS_BYTES_MAX        (1u << 20)  /* which rows of an outline are asked for */
#define FRAME_BYTES_MAX        65535       /* one Noise message on the wire */
#define MESSAGE_BYTES_MAX      (CHANGESET_BYTES_MAX + 64u)
#define CONFLICTS_MAX          1000         /* open conflicts; the oldest go first */
#define CONFLICT_BYTES_MAX     (64u << 20)  /* of their values together */
#define BEACON_BYTES           64           /* exact size of the discovery datagram */
#define ROSTER_BOXES_MAX       64           /* sealed fleet keys in one roster entry */
#define FLEET_KEYS_MAX         12           /* the fleet's key, and the ones before it */
#define RULES_MAX              2000         /* rules that a site lets a fleet have... */
#define RULES_BYTES_MAX        (128u << 10) /* ...as they are encoded */
#define RULE_WHERE_BYTES_MAX   1024         /* a filter */
#define RULE_CHANGES_MAX       256          /* in one roster entry */
#define DROP_BYTES_MAX         (512u << 20) /* one drop file */
#define CONTROL_LINE_BYTES_MAX 65536        /* one JSON request on the control socket */
#define CONFIG_BYTES_MAX       65536        /* agent.conf */
#define HLC_SKEW_MS_MAX        600000       /* a stamp further ahead than ten minutes is parked */
#define LINKS_MAX              192          /* open connections, handshakes included */
#define HANDSHAKES_MAX         64           /* incoming ones that have not authenticated yet */
#define HANDSHAKE_MS_MAX       5000         /* time to finish a handshake */
#define INVITES_MAX            8            /* open invitations of one site */

/* A roster: what anybody may add; the checkpoint that it begins with; and the room that is kept, so
 * that whoever fills it can be shut out and what he filled it with be summed up. So many sites, the
 * most senior ones, have that, for so many removals and checkpoints each, and for so many
 * acknowledgements of the latter by others. room.c counts. */
#define ROSTER_ORDINARY_MAX         2560
#define ROSTER_ORDINARY_BYTES_MAX   (1u << 20)
#define ROSTER_ORDINARY_ENDS_MAX    512          /* entries that no other one builds on */
#define ROSTER_CHECKPOINT_BYTES_MAX (512u << 10) /* one encoded checkpoint: any state fits */
#define ROSTER_SENIORS              6
#define ROSTER_REMOVALS             64
#define ROSTER_REMOVAL_BYTES        (64u << 10)
#define ROSTER_CHECKPOINTS          2   /* which may not have more bytes than one can have */
#define ROSTER_ITEM_BYTES           80  /* at most, around an entry */
#define ROSTER_ACKNOWLEDGE_BYTES    192 /* more than one has that names nothing else */
#define ROSTER_KEPT_ENTRIES         (ROSTER_REMOVALS + ROSTER_CHECKPOINTS * (1 + SITES_MAX))
#define ROSTER_KEPT_BYTES                                                                          \
    (ROSTER_REMOVAL_BYTES + ROSTER_CHECKPOINT_BYTES_MAX +                                          \
     ROSTER_CHECKPOINTS * (ROSTER_ITEM_BYTES + SITES_MAX * ROSTER_ACKNOWLEDGE_BYTES))
#define ROSTER_ENTRIES_MAX (ROSTER_ORDINARY_MAX + (ROSTER_SENIORS + 1) * ROSTER_KEPT_ENTRIES)
#define ROSTER_BYTES_MAX   (ROSTER_ORDINARY_BYTES_MAX + (ROSTER_SENIORS + 1) * ROSTER_KEPT_BYTES)
#define ROSTER_ENDS_MAX                                                                            \
    (ROSTER_ORDINARY_ENDS_MAX + ROSTER_SENIORS * (ROSTER_REMOVALS + ROSTER_CHECKPOINTS))
#define ROSTER_CUTS_MAX    ACTORS_MAX /* of all that are out together, in a checkpoint */
#define ROSTER_INVITES_MAX 256        /* in a checkpoint */

#endif
