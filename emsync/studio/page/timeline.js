// The time line: its lanes, one above the other on one scale.

import "./ruler.js";
import "./strip.js";
import "./cuts.js";
import "./arc.js";
import "./plan.js";
import "./section.js";
import "./followed.js";
