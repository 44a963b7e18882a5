package connector

import "busbar/internal/plant"

// Secret is a password or key in the settings of a kind. Printing, logging and
// marshalling it give "***"; string(s) gives the text itself.
type Secret = plant.Secret
