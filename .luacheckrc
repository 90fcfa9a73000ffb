std = "min"
max_line_length = 80
cache = false
files["spec/*_spec.lua"] = { std = "+busted" }
files["spec/soak/*_soak.lua"] = { std = "+busted" }
exclude_files = { "build/", "lua_modules/" }
