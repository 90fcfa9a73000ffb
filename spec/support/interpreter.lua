--- The Lua that runs the specs, as it was called: lunula/core.so is built for
-- one Lua, so that what a spec starts beside itself has to be the same.
return arg[-1]
