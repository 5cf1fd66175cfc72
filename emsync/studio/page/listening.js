// What is heard: the player, the pieces, their notes, players, files and versions.

import "./player.js";
import "./candidates.js";
import "./roll.js";
import "./mixer.js";
import "./anew.js";
import "./downloads.js";
import "./versions.js";
