--- Reads HTML strictly: what no browser would have to guess about. Tags are
-- balanced, attributes quoted, no character stands bare that should be
-- escaped, no id is there twice, nothing is loaded and nothing can run.
local html = {}

local VOID = { meta = true, hr = true, br = true }
local LOADS = { src = true, srcset = true, data = true, action = true,
  background = true, poster = true }
local REFUSED = { script = true, iframe = true, object = true, embed = true,
  link = true, img = true, form = true, base = true, use = true,
  foreignobject = true }

local function fail(message, ...)
  error("html: " .. message:format(...), 0)
end

local ENTITIES = { amp = "&", lt = "<", gt = ">", quot = '"', ["#39"] = "'" }

local function unescaped(text)
  return (text:gsub("&([^;]*);?", function(name)
    return ENTITIES[name] or fail("no entity &%s;", name:sub(1, 20))
  end))
end

local function check_attribute(name, value)
  if LOADS[name] or name:find "^on" or name == "style" then
    fail("attribute %s", name)
  elseif name:find "href" and not (value:find "^#"
      or value:find "^https?://") then
    fail("%s=%s", name, value)
  end
end

-- `rest` of a tag after its name
local function attributes_of(rest, ids)
  local found, at = {}, 1
  while at <= #rest do
    local _, last, name, value = rest:find('^ ([%a][%w-]*)="([^"<]*)"', at)
    if not name then _, last, name = rest:find("^ ([%a][%w-]*)", at) end
    if not name then fail("attributes:%s", rest) end
    if found[name] then fail("attribute %s twice", name) end
    found[name] = unescaped(value or "")
    check_attribute(name, found[name])
    at = last + 1
  end
  if found.id then
    if ids[found.id] then fail("id %s twice", found.id) end
    ids[found.id] = true
  end
  return found
end

local function check_text(text)
  if text:find "[<>]" then fail("a bare %s", text:match "[<>].?.?.?.?") end
  if text:find "[%z\1-\8\11\12\14-\31\127]" then fail "a control character" end
  return unescaped(text)
end

-- up to the end of a style element, whose content is no markup
local function raw_end(page, name, at)
  if name ~= "style" then return at end
  local close = page:find("</style>", at, true) or fail "no end of style"
  if page:sub(at, close):find "url%(" or page:sub(at, close):find "@import" then
    fail "a style that loads"
  end
  return close
end

local function close(open, name)
  local last = table.remove(open)
  if not last or last.name ~= name then
    fail("</%s> after <%s>", name, last and last.name or "nothing")
  end
end

local function begin(state, name, rest)
  if REFUSED[name:lower()] then fail("a <%s>", name) end
  local node = { name = name, attributes = attributes_of(rest, state.ids) }
  local parent = state.open[#state.open]
  parent[#parent + 1] = node
  if not VOID[name] then state.open[#state.open + 1] = node end
end

--- The tree of a page.
-- @string page
-- @treturn table nodes: `name`, `attributes`, and their content, nodes and
--   texts
-- @raise what is wrong with it
function html.parse(page)
  local _, at = page:find "^<!DOCTYPE html>\n"
  if not at then fail "no doctype" end
  local root = {}
  local state = { open = { root }, ids = {} }
  at = at + 1
  while at <= #page do
    local first, last, slash, name, rest =
      page:find("<(/?)(%a%w*)([^>]*)>", at)
    local parent = state.open[#state.open]
    local text = check_text(page:sub(at, (first or 0) - 1))
    if text ~= "" then parent[#parent + 1] = text end
    if not first then break end
    if slash == "/" then close(state.open, name)
    else begin(state, name, rest) end
    at = raw_end(page, slash == "" and name, last + 1)
    if at > last + 1 then close(state.open, "style") at = at + #"</style>" end
  end
  if #state.open > 1 then fail("<%s> is open", state.open[#state.open].name) end
  return root
end

--- All nodes of a name below a node, in their order.
-- @tparam table node
-- @string name a Lua pattern of the whole name
-- @tparam[opt] string class one of their classes
-- @treturn {table,...}
function html.all(node, name, class)
  local found = {}
  local function walk(at)
    for _, child in ipairs(at) do
      if type(child) == "table" then
        local classes = " " .. (child.attributes.class or "") .. " "
        if child.name:find("^" .. name .. "$") and (not class
            or classes:find(" " .. class .. " ", 1, true)) then
          found[#found + 1] = child
        end
        walk(child)
      end
    end
  end
  walk(node)
  return found
end

--- The text of a node.
-- @treturn string
function html.text(node)
  if type(node) == "string" then return node end
  local parts = {}
  for i, child in ipairs(node) do parts[i] = html.text(child) end
  return table.concat(parts)
end

--- The cells of a table as texts.
-- @tparam table node
-- @treturn {{string,...},...}
function html.cells(node)
  local rows = {}
  for i, row in ipairs(html.all(node, "tr")) do
    rows[i] = {}
    for _, cell in ipairs(row) do
      rows[i][#rows[i] + 1] = html.text(cell)
    end
  end
  return rows
end

--- Whether a node has a text in it.
function html.has(node, text)
  return html.text(node):find(text, 1, true) ~= nil
end

--- The cells of the table in the box of this name.
function html.table_named(root, name)
  for _, box in ipairs(html.all(root, "div", "box")) do
    if box.attributes["aria-label"] == name then
      return html.cells(html.all(box, "table")[1])
    end
  end
  error("no table " .. name)
end

return html
