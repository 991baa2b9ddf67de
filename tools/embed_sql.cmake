# Turn schema.sql into a C string, without its comments: the schema stays a file that people and tools can read.
file(READ ${IN} text)
string(REGEX REPLACE " *--[^\n]*" "" text "${text}")
string(REGEX REPLACE "\n\n+" "\n" text "${text}")
string(REPLACE "\\" "\\\\" text "${text}")
string(REPLACE "\"" "\\\"" text "${text}")
string(REPLACE "\n" "\\n\"\n\"" text "${text}")
file(WRITE ${OUT} "static const char schema_sql[] = \"${text}\";\n")
