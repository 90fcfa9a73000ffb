local markdown = require "lunula.report.markdown"
local markup = require "lunula.report.markup"
local written = require "lunula.card.markdown"

describe("A report of a card", function()
  local function rendered(text)
    return markup.text(markdown.render((markdown.parts(text)), 3))
  end

  it("renders headings, lists, tables, code and quotes", function()
    assert.are.equal("<h3>A</h3><h4>B</h4><h4>C</h4>",
      rendered "# A\n### B\n## C\n")
    assert.are.equal("<ul><li>a b<ul><li>c</li></ul></li><li>d</li></ul>",
      rendered "- a\n  b\n  - c\n- d\n")
    assert.are.equal("<ol><li>a</li><li>b</li></ol><p>c</p>",
      rendered "1. a\n2. b\n\nc")
    assert.are.equal('<pre tabindex="0"><code>x &lt; **y**\n\nz</code>'
      .. "</pre>", rendered "```lua\nx < **y**\n\nz\n```\n")
    assert.matches("<thead><tr><th scope=\"col\">a</th>.*<tbody><tr><td>"
      .. "<code>1</code></td><td class=\"n\">2</td></tr></tbody>",
      rendered "| a | b |\n|---|--:|\n| `1` | 2 |\n")
    assert.matches("<table><tbody><tr><td>1</td>",
      rendered "|  |  |\n|---|---|\n| 1 | 2 |\n", 1, true)
    assert.are.equal("<blockquote><p>a b</p></blockquote><hr>",
      rendered "> a\n> b\n\n---\n")
  end)

  it("takes marks off both ends of a heading, however much space is there",
    function()
      assert.are.equal("<h3>a # b</h3>", rendered "  #  a # b  ## \n")
      assert.are.equal("<h3></h3>", rendered "# ## ")
      assert.are.equal("<h3>C#x</h3>", rendered "# C#x")
      local space = (" "):rep(150000)
      assert.matches("^<h3>a +…</h3>$", rendered("# a" .. space .. "b"))
      assert.matches("^<p>a|</p><p>| +…</p>$",
        rendered("a|\n|" .. space .. "b"))
    end)

  it("shows what lunula card writes as it was, whatever is in it", function()
    local said = "a|b <i> C&A x_y *z* [k](u) `c` ~d~ $e$ \\ &lt; __m__"
    local shown = said:gsub("&", "&amp;"):gsub("<", "&lt;"):gsub(">", "&gt;")
    assert.are.equal("<p>" .. shown .. "</p>", rendered(written.text(said)))
    assert.matches("<tbody><tr><td>" .. shown:gsub("%p", "%%%0") .. "</td>",
      rendered(written.table({ "x", "y" }, { { written.line(said), "2" } })))
    assert.are.equal("<p># a 1. b - c</p>",
      rendered(written.text "# a\n1. b\n- c"))
    assert.are.equal("<p><code>\\*&amp;lt;</code></p>",
      rendered "`\\*&lt;`")
    assert.are.equal('<pre tabindex="0"><code>\\| &amp;amp;</code></pre>',
      rendered "```\n\\| &amp;\n```")
  end)

  it("renders emphasis, and leaves names and products alone", function()
    assert.are.equal("<p><strong>a <em>b</em></strong> <em>c</em> "
      .. "macro_f1_score 2 * 3</p>",
      rendered "**a _b_** *c* macro_f1_score 2 * 3")
  end)

  it("links to the web only", function()
    assert.are.equal('<p><a href="https://a.b/c_(d)" rel="noreferrer">l'
      .. "</a> m n o</p>", rendered("[l](https://a.b/c_(d)) "
      .. "[m](javascript:alert(1)) [n](data:text/html,x) [o](//evil)"))
    assert.are.equal("<p>[x](http://a&quot; onclick=&quot;b</p>",
      rendered '[x](http://a" onclick="b')
  end)

  it("shows HTML as text, without its comments and front matter",
    function()
      assert.are.equal("<p>a  &lt;b onclick=&quot;x&quot;&gt;</p>",
        rendered '---\nlicense: mit\n---\na <!-- no --> <b onclick="x">')
    end)

  it("reads a lot of what begins and never ends", function()
    for _, piece in ipairs { "<!--", "[", "**a", "[a](", "`", "- ", "> " }
    do
      local text = piece:rep(math.floor(3e5 / #piece))
      assert.is_true(#rendered(text) < 1e6)
    end
  end)
end)
