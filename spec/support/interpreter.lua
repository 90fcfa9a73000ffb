--- The Lua that runs the specs, as it was called: lunula/core.so is built for
-- one Lua, so that what a spec starts beside itself has to be the same.
-- (Lua 5.1 has no `arg` in a program that comes with -e; such start nothing.)
return arg and arg[-1]
