#include "manual.h"

#include "config.h"

void manual_text(FILE *out, const char *text)
{
    if (*text == '.' || *text == '\'')
        fputs("\\&", out);
    for (; *text != '\0'; text++) {
        if (*text == '-' || *text == '\\')
            fputc('\\', out);
        fputc(*text, out);
    }
    fputc('\n', out);
}

void manual_print_agent(FILE *out)
{
    const char *name;
    const char *preset;
    const char *help;

    fputs(".\\\" Made by `agent-cli help --man navette-agent`.\n"
          ".TH NAVETTE\\-AGENT 1 \"\" Navette Navette\n"
          ".SH NAME\nnavette\\-agent \\- keep an SQLite database the same on several PCs\n"
          ".SH SYNOPSIS\n.B navette\\-agent\n[\\-\\-home DIR]\n"
          ".SH DESCRIPTION\n"
          "Runs in the foreground on the home that\n.B agent\\-cli init\nmade: notices what the "
          "application commits to its database, sends it to the other PCs of the fleet and applies "
          "what they send.\nIt ends on SIGTERM, SIGINT and\n.BR \"agent\\-cli stop\" .\n"
          "One agent runs per home; several homes can be on one machine.\n"
          ".SH OPTIONS\n.TP\n.B \\-\\-home DIR\n"
          "The home; else that of NAVETTE_HOME, else /var/lib/navette for root and "
          "~/.local/state/navette for others.\n"
          ".TP\n.B \\-\\-help\nThe options and settings in short.\n"
          ".TP\n.B \\-\\-version\nWhich version this is.\n"
          ".SH SETTINGS\nLines of agent.conf in the home, name = value; # begins a comment.\n",
          out);
    for (size_t i = 0; config_option(i, &name, &preset, &help); i++) {
        fputs(".TP\n.B ", out);
        manual_text(out, name);
        manual_text(out, help);
        if (preset[0] != '\0') {
            fputs("Default: ", out);
            manual_text(out, preset);
        }
    }
    fputs(".SH SIGNALS\nSIGTERM and SIGINT end the agent in good order; nothing is lost if it is "
          "killed.\n.SH SEE ALSO\n.BR agent\\-cli (1)\n",
          out);
}
