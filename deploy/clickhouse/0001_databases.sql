-- `weft` is what analysts see; `weft_raw` holds the facts that the views are computed from.
CREATE DATABASE IF NOT EXISTS weft;
CREATE DATABASE IF NOT EXISTS weft_raw;
