local http = require "lunula.hub.http"
local label = require "lunula.data.label"
local trimmed = require "lunula.trimmed"

describe("A trimmed text", function()
  it("has no space at its ends, and all that it has inside", function()
    for text, bare in pairs { [" a  b\n"] = "a  b", ["\t\r\n x"] = "x",
      [""] = "", [" \n "] = "", ["x"] = "x", ["\195\160 "] = "\195\160" } do
      assert.are.equal(bare, trimmed(text))
    end
  end)

  -- each of these would take hours, were it the square of what is given
  it("takes no time to speak of, wherever others wrote it", function()
    local space = (" "):rep(2 ^ 20)
    assert.are.equal("a" .. space .. "b",
      trimmed(space .. "a" .. space .. "b" .. space))
    local row = { label = "a" .. space .. "b," .. space .. "c" }
    label.settle(row, { label_separator = "," }, {}, 1)
    assert.are.same({ "a" .. space .. "b", "c" }, row.labels)
    assert.are.equal("a" .. space .. "b",
      http.headers("HTTP/1.1 200\r\nX: a" .. space .. "b \r\n").x)
  end)
end)
