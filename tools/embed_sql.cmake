# Turn schema.sql into a C string: the schema stays a file that people and tools can read.
file(READ ${IN} text)
string(REPLACE "\\" "\\\\" text "${text}")
string(REPLACE "\"" "\\\"" text "${text}")
string(REPLACE "\n" "\\n\"\n\"" text "${text}")
file(WRITE ${OUT} "static const char schema_sql[] = \"${text}\";\n")
