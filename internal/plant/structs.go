package plant

import "errors"

// structs are the decoders of the generic keys.
type structs struct {
	file      *Decoder[fileKeys]
	connector *Decoder[connectorKeys]
	point     *Decoder[pointKeys]
	source    *Decoder[sourceKeys]
	target    *Decoder[targetKeys]

	sourceGeneric, targetGeneric generic
}

func (s *structs) plan() error {
	var errs [5]error
	s.file, errs[0] = NewDecoder[fileKeys]()
	s.connector, errs[1] = NewDecoder[connectorKeys]()
	s.point, errs[2] = NewDecoder[pointKeys]()
	s.source, errs[3] = NewDecoder[sourceKeys]()
	s.target, errs[4] = NewDecoder[targetKeys]()
	s.sourceGeneric, s.targetGeneric = sourceGeneric(), targetGeneric()
	return errors.Join(errs[:]...)
}
