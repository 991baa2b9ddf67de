#include "grammar.h"

const struct command grammar_commands[COMMANDS] = {
    [INIT] = {"init", "", "set this PC up: its home, identity and settings",
              "Makes a fleet of one, which other PCs join with `invite` and `join`; with --join, "
              "this PC joins another's as soon as its agent runs. The database itself is not "
              "touched before `track`.",
              0, 0, run_init},
    [TRACK] = {"track", "TABLE...", "share tables with the other PCs",
               "The rows that are there are published, too. A table without a primary key cannot "
               "be shared; `tables` says which and why.",
               0, WORDS_MAX, run_track},
    [UNTRACK] = {"untrack", "TABLE...", "stop sharing tables; their rows stay", "", 1, WORDS_MAX,
                 run_untrack},
    [TABLES] = {"tables", "", "which tables there are, and which are shared", "", 0, 0, run_tables},
    [RULES_SET] =
        {"rules set", "TARGET KIND [ARGUMENT]", "say how the fleet treats a table",
         "TARGET is TABLE, TABLE.COLUMN or TABLE.COLUMN,COLUMN. Kinds: counter "
         "(TABLE.COLUMN: what several PCs take off or add meanwhile adds up); local "
         "(TABLE or TABLE.COLUMN: stays on each PC; ARGUMENT is what rows that arrive "
         "get in the column); keep or merge (the columns of a UNIQUE key: of two rows "
         "with the same value both stay, or they become one); references "
         "(TABLE.COLUMN: names a row of table ARGUMENT, though no foreign key says so); "
         "references-by (TABLE.COLUMN: names a row of the table that column ARGUMENT of "
         "the same row says, be it in words or as a row of django_content_type; a model "
         "app.model has table app_model); references-text (TABLE.COLUMN: text such as "
         "sale.line,21, which is row 21 of sale_line; ARGUMENT is the pattern, model,id "
         "or table,id); publish, subscribe or both (TABLE: its changes only go out from here, only "
         "come in, or both). What does not fit the database or another rule is "
         "refused. Rules reach the other PCs by themselves.",
         2, 3, run_rules_set},
    [RULES_UNSET] = {"rules unset", "TARGET KIND", "take a rule back", "", 2, 2, run_rules_unset},
    [RULES_IMPORT] = {"rules import", "FILE", "set the rules of a JSON file",
                      "The file holds what `rules --json` prints, or a list such as "
                      "[{\"target\": \"lot.quantite\", \"kind\": \"counter\"}].",
                      1, 1, run_rules_import},
    [RULES_PRESET] = {"rules preset", "NAME", "set the rules that a framework needs",
                      "NAME is django: sessions, admin log and migrations stay on each PC, and so "
                      "do passwords; content types and permissions are united by their natural "
                      "keys. Generic foreign keys (object_id beside content_type_id) become "
                      "references-by.",
                      1, 1, run_rules_preset},
    [RULES] = {"rules", "", "the rules of the fleet, as they would be set again", "", 0, 0,
               run_rules},
    [CONFLICTS_SHOW] = {"conflicts show", "NUMBER", "all about one conflict", "", 1, 1,
                        run_conflicts_show},
    [CONFLICTS_RESTORE] = {"conflicts restore", "NUMBER", "bring a lost value back",
                           "The value that lost is written now, as an edit of this PC, and the "
                           "other PCs get it; a row that was deleted comes back. A value that the "
                           "database would refuse is not written, and the error says why.",
                           1, 1, run_conflicts_restore},
    [CONFLICTS_DISMISS] = {"conflicts dismiss", "NUMBER", "take one off the list, or --all",
                           "The data stays as it is, and the other PCs keep theirs on their "
                           "lists.",
                           0, 1, run_conflicts_dismiss},
    [CONFLICTS_MERGE] =
        {"conflicts merge", "TABLE KEY KEY", "make one row of two",
         "The rows of TABLE under these two keys (numbers, as this PC's database has "
         "them) are one thing. Of each column the later value stays (the other is "
         "in `agent-cli conflicts`), what refers to either row refers to the one that "
         "stays, and the other PCs do the same. It cannot be undone.",
         3, 3, run_conflicts_merge},
    [CONFLICTS] = {"conflicts", "", "values that lost because two PCs wrote apart",
                   "Two PCs that are apart can write into the same place. The later write counts; "
                   "the one that lost is kept here, with who wrote it and when, until it is "
                   "restored or dismissed. The 1000 latest are kept.",
                   0, 0, run_conflicts},
    [PARKED_ACCEPT] = {"parked accept", "", "let in what waits for a migration, as it is",
                       "A new version of the application has changed many rows on one PC and not "
                       "yet on another; until it has, what the two write does not mix. Use this "
                       "only if the other one is never going to make the same change: its values "
                       "come in as they are.",
                       0, 0, run_parked_accept},
    [PARKED] = {"parked", "", "rows that this PC's database cannot hold yet, and why",
                "They are tried again by themselves when something changes that they may have "
                "waited for. Rows that were deleted on another PC and stay here because rows here "
                "refer to them are listed apart: they are no trouble.",
                0, 0, run_parked},
    [INVITE] = {"invite", "", "print a token with which one other PC can join",
                "Whoever has the token while it is valid can join once: hand it over as you would "
                "a key. With --stick it is for a PC that shares no network with this one: shorter, "
                "and valid for a day; `join TOKEN --to DIR` there, and `drop import` here, of what "
                "that wrote on a stick. Carry the token apart from the stick. With --cancel no "
                "token is made: all that are still open are withdrawn, of every PC, or the one "
                "whose id `roster` shows.",
                0, 1, run_invite},
    [ROSTER] =
        {"roster", "", "who is in the fleet, who may rule it, which tokens are open",
         "Every PC is an admin when it joins: it may invite, shut out, rename, and set "
         "rules. `admin remove` takes that from a PC. A PC that was shut out stays on the "
         "list, apart: what it wrote before then is still the fleet's. Where the list was summed "
         "up (`checkpoint`), it says when, and for whom that still waits.",
         0, 0, run_roster},
    [RENAME] = {"rename", "PEER NAME", "call a PC something else",
                "Marks such as #CAISSE2-TKT17 in front of numbers that two PCs gave keep the name "
                "that the PC joined with.",
                2, 2, run_rename},
    [REVOKE] =
        {"revoke", "PEER", "shut a PC out of the fleet, for good: lost, stolen, or replaced",
         "Asks first. What that PC wrote and this one has stays; what it writes from now on, or "
         "has sent to nobody yet, is taken by no PC, not from the network and not from files. It "
         "may take part again only under a new identity (`identity reset` there) and with a new "
         "token. The fleet gets a new key, so that the old PC learns nothing any more. Do it on "
         "the PC that has the most of what the lost one wrote. What waits here because its clock "
         "had been ahead comes in then. For one that was shut out already: "
         "what is here of it, beyond what counted, counts from now on. A PC that joined before it "
         "says so, too, by itself, as soon as it hears of it; then the keys of the other can sign "
         "nothing against that. Whom it shut out itself stays out.",
         1, 1, run_revoke},
    [ADMIN_ADD] = {"admin add", "PEER", "let a PC invite, shut out, rename, and set rules", "", 1,
                   1, run_admin_add},
    [ADMIN_REMOVE] =
        {"admin remove", "PEER", "take that from a PC, as from one that stands open",
         "The last admin stays one; leave two, or nobody can invite, nor sum up the list "
         "of members, when that PC is gone: then one PC makes a new fleet (`identity reset --fleet "
         "NAME`, then "
         "`invite`), and the others join it (`identity reset`, then `join --copy`). A "
         "PC that has not "
         "heard of it yet may invite meanwhile: whom it takes in so is no member "
         "when both have met. Where two take each other's rights without knowing of "
         "it, the one counts that joined first: take those of a PC that may be "
         "stolen on that PC itself, or on one that joined before it.",
         1, 1, run_admin_remove},
    [ROTATE] = {"rotate", "", "give the fleet a new key",
                "The key keeps strangers from finding and calling the fleet's PCs; `revoke` "
                "changes it by itself. A PC that is off meanwhile comes in with the old one, up to "
                "eleven times; after that it needs a file of `drop export` first.",
                0, 0, run_rotate},
    [CHECKPOINT] = {"checkpoint", "",
                    "sum up the history of the list of members, lest it gets too long",
                    "The PCs do it by themselves when half of the room for it is used, so this is "
                    "seldom needed. It takes effect once every PC of the fleet has seen it, and "
                    "each then forgets what was summed up: who was shut out stays out, whoever is "
                    "in stays in, and tokens, rules and the key are as before. `roster` shows who "
                    "is waited for. A PC that is gone for good must be shut out first (`revoke`).",
                    0, 0, run_checkpoint},
    [JOIN] = {"join", "TOKEN", "join the fleet of the PC that made the token",
              "Ends when this PC is a member. With --to (and, after `init --join`, without TOKEN), "
              "for a PC that shares no network with the "
              "fleet: writes a request to join on a stick. Take that to the PC that made the token "
              "and `drop import` it there; this puts an answer beside it. Bring the stick back and "
              "`drop import` the answer here; then the files of `drop export` there. Who finds the "
              "stick can do nothing with request or answer. With control_group, all of this is for "
              "the agent's user and root alone.",
              0, 64, run_join},
    [STATUS] = {"status", "", "how this PC stands: exit code 0 well, 1 with trouble, 2 failing", "",
                0, 0, run_status},
    [PEERS] = {"peers", "", "the other PCs of the fleet", "", 0, 0, run_peers},
    [SYNC] =
        {"sync", "", "exchange with every PC that can be reached, now",
         "A PC that is new, or whose files went back, first compares its rows with the other "
         "PCs'. `status` says when it waits for one that is away. If that one is gone for "
         "good, --without-absent goes on without it: rows of a copied database that only it "
         "had published would then stand twice if it came back. The same goes for changes "
         "that wait for others which only a PC that is away may have. --clock-is-right helps "
         "where `status` says clock-was-ahead and no other PC can tell that this one's clock is "
         "right now.",
         0, 0, run_sync},
    [WAIT] = {"wait", "", "wait until every connected PC has everything from here",
              "Ends 0 when nothing captured is unsent and every connected PC has acknowledged all "
              "of it, 1 at the timeout, with what it waited for.",
              0, 0, run_wait},
    [IDENTITY_RESET] =
        {"identity reset", "", "become a PC of its own: on a copy, or to leave a fleet",
         "A home that was copied to another PC, or with its disk, would make two PCs speak under "
         "one identity. This one gets a new identity, no fleet, and its file is taken for a copy "
         "of the fleet's when it joins again: what was written here is kept and shared then. So "
         "does a PC that was shut out come back, and one of another fleet join this one. If no PC "
         "goes on as the one that this was, `revoke` that on a PC of the fleet before this one "
         "joins: what waits of it comes in then, and rows that are said anew do not stand beside "
         "it. With --fleet it makes a new fleet, with its rows, that the others join one by one: "
         "for a fleet that nobody can rule any more. (One whose list of members is full needs no "
         "new one: `revoke` whoever filled it, then `checkpoint`.) The agent must not run.",
         0, 0, run_identity_reset},
    [IDENTITY_CONFIRM] =
        {"identity confirm-move", "", "this is the one PC with this identity",
         "For a home that was moved to another place or PC, for a PC whose only network card was "
         "replaced, and for the one that goes on as before after a copy of it was seen. The agent "
         "must not run.",
         0, 0, run_identity_confirm},
    [EXPORT] = {"drop export", "", "write what is shared to a file, for a stick or a share",
                "All of it, or with --for what that PC is not known to have; no file is written "
                "when it has everything. With control_group, --to is for the agent's user and root "
                "alone.",
                0, 0, run_export},
    [IMPORT] =
        {"drop import", "FILE...", "take in files that another PC wrote",
         "Files of `drop export`, and those with which a PC joins by a stick (`join --to`): a "
         "request to join is answered, and its PC is a member then. A file may be taken in twice: "
         "the second time changes nothing. What a PC made after it "
         "was shut out is left out; --adopt takes it, too, and makes every PC take just that, "
         "and nothing that it makes later. Asks first: do it only if you know that these "
         "sales are right, as those of a PC that was retired before all was sent.",
         1, WORDS_MAX, run_import},
    [STOP] = {"stop", "", "stop the agent of this home", "", 0, 0, run_stop},
    [UNINSTALL] =
        {"uninstall", "", "remove every trace of Navette from the database",
         "Asks first. The database keeps all its rows, and its schema is as it was before "
         "`track`. With --db FILE it clears a database whose home is lost; while an agent "
         "keeps it, it is refused.",
         0, 0, run_uninstall},
    [HELP] = {"help", "[COMMAND]", "this page, or that of one command", "", 0, 2, run_help},
};

#define AT(field) offsetof(struct cli, field)

const struct option grammar_options[] = {
    {"--db", "FILE", ON(INIT) | ON(UNINSTALL), ON(INIT), AT(db), "the application's SQLite file"},
    {"--name", "NAME", ON(INIT) | ON(IDENTITY_RESET), 0, AT(name),
     "what other PCs call this one (this PC's name)"},
    {"--fleet", "NAME", ON(INIT) | ON(IDENTITY_RESET), 0, AT(fleet),
     "what the fleet is called (as this PC); with identity reset, make a new one of that name"},
    {"--drop", "DIR", ON(INIT), 0, AT(drop), "folder for exchange by files (none)"},
    {"--listen", "ADDRESS:PORT", ON(INIT), 0, AT(listen),
     "where peers reach us (any address, 7400)"},
    {"--join", "TOKEN", ON(INIT), 0, AT(join), "join with this token when the agent starts"},
    {"--discovery-port", "PORT", ON(INIT), 0, AT(discovery_port), "UDP port of broadcasts (7401)"},
    {"--peers", "LIST", ON(INIT), 0, AT(peers), "ADDRESS:PORT,... that broadcasts do not reach"},
    {"--copy", NULL, ON(INIT) | ON(JOIN), 0, AT(copy),
     "this database is a copy of the fleet's: rows with equal keys are the same rows"},
    {"--all", NULL, ON(TRACK) | ON(CONFLICTS_DISMISS), 0, AT(all),
     "all of them; with track, all tables that can be shared"},
    {"--ttl", "TIME", ON(INVITE), 0, AT(ttl),
     "how long the token is valid (15m, up to 24h; with --stick 1d, up to 7d)"},
    {"--stick", NULL, ON(INVITE), 0, AT(stick), "for a PC that shares no network with this one"},
    {"--timeout", "TIME", ON(WAIT), 0, AT(timeout), "how long to wait (30s)"},
    {"--to", "DIR", ON(EXPORT) | ON(JOIN), 0, AT(to),
     "where to write it (drop export: sortant in the drop folder)"},
    {"--for", "PEER", ON(EXPORT), 0, AT(for_peer), "only what this PC lacks (everything)"},
    {"--where", "EXPRESSION", ON(RULES_SET), 0, AT(where),
     "publish or both: only rows for which this SQL expression holds leave a PC"},
    {"--names", "NAME=TABLE,...", ON(RULES_SET), 0, AT(names),
     "references-by or references-text: what the application calls tables that have other names"},
    {"--site", "NAME", ON(RULES_SET) | ON(RULES_UNSET), 0, AT(site),
     "publish, subscribe or both: what this PC does (every PC)"},
    {"--cancel", NULL, ON(INVITE), 0, AT(cancel), "withdraw what is open; with an id, only that"},
    {"--adopt", NULL, ON(IMPORT), 0, AT(adopt), "also what PCs that were shut out had not sent"},
    {"--yes", NULL, ON(UNINSTALL) | ON(IDENTITY_RESET) | ON(REVOKE) | ON(IMPORT), 0, AT(yes),
     "do not ask"},
    {"--without-absent", NULL, ON(SYNC), 0, AT(without_absent),
     "wait no longer for PCs that are away: they are gone for good"},
    {"--clock-is-right", NULL, ON(SYNC), 0, AT(clock_is_right),
     "this PC's clock was ahead and is right now: what was written here since counts as of now"},
    {"--man", NULL, ON(HELP), 0, AT(man), "as a manual page"},
    {"--home", "DIR", EVERYWHERE, 0, AT(home_given),
     "the home of the agent (NAVETTE_HOME, else the system's place)"},
    {"--json", NULL, EVERYWHERE, 0, AT(json), "answer in JSON, for programs"},
    {"--help", NULL, EVERYWHERE, 0, AT(help), "about this command"},
    {"--version", NULL, EVERYWHERE, 0, AT(version), "which version this is"},
};

const size_t grammar_option_count = COUNT_OF(grammar_options);

_Static_assert(COUNT_OF(grammar_options) <= 32, "one bit each");
_Static_assert(COMMANDS < 64, "one bit each");
