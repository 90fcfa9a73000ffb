"""Reads what spec/peers/card.lua has written into FOLDER: texts.yaml by PyYAML,
the Markdown in texts.json by markdown-it, README.md by huggingface_hub; says
how many texts came back otherwise than they were.

usage: card.py FOLDER
"""
import html
import json
import re
import sys

import yaml
from huggingface_hub import ModelCard
from markdown_it import MarkdownIt

# what lunula.card.markdown may write itself
TAGS = {"p", "/p", "a", "/a", "strong", "/strong", "br"}
CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def bare(text):
    """without control characters and white space, which may change"""
    return re.sub(r"\s+", "", CONTROL.sub("", text))


def shown(rendered):
    return bare(html.unescape(re.sub(r"<[^>]*>", "", rendered)))


def is_as_it_was(reader, item):
    whole = bare(item["whole"])
    for rendered in reader.render("x " + item["line"]), reader.render(
            "x\n\n" + item["text"]):
        tags = set(re.findall(r"<(/?\w+)", rendered))
        if tags - TAGS or shown(rendered) != "x" + whole:
            return False
    cells = re.findall(r"<td[^>]*>(.*?)</td>", reader.render(item["table"]),
                       re.S)
    return len(cells) == 2 and shown(cells[0]) == whole


def main(folder):
    with open(folder + "/texts.json", encoding="utf-8") as file:
        items = json.load(file)
    with open(folder + "/texts.yaml", encoding="utf-8", newline="") as file:
        read = yaml.safe_load(file)
    other = sum(read["k%d" % (i + 1)] != item["whole"]
                for i, item in enumerate(items))
    print("YAML: %d of %d texts are others" % (other, len(items)))
    reader = MarkdownIt("commonmark", {"html": True})
    reader.enable(["table", "strikethrough"])
    reader.normalizeLinkText = lambda url: url  # else %E5 is shown decoded
    other = sum(not is_as_it_was(reader, item) for item in items)
    print("Markdown: %d of %d texts are others" % (other, len(items)))
    card = ModelCard.load(folder + "/README.md")
    print("hub:", json.dumps(card.data.to_dict()))


main(sys.argv[1])
