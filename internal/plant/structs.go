package plant

import "errors"

// structs are the decoders of the generic keys.
type structs struct {
	file      *Decoder[fileKeys]
	connector *Decoder[connectorKeys]
	point     *Decoder[pointKeys]
	system    *Decoder[systemKeys]
	source    *Decoder[sourceKeys]
	target    *Decoder[targetKeys]
	command   *Decoder[commandKeys]
	request   *Decoder[requestKeys]
	execution *Decoder[executionKeys]

	sourceGeneric, targetGeneric generic
}

func (s *structs) plan() error {
	var errs [9]error
	s.file, errs[0] = NewDecoder[fileKeys]()
	s.connector, errs[1] = NewDecoder[connectorKeys]()
	s.point, errs[2] = NewDecoder[pointKeys]()
	s.source, errs[3] = NewDecoder[sourceKeys]()
	s.target, errs[4] = NewDecoder[targetKeys]()
	s.command, errs[5] = NewDecoder[commandKeys]()
	s.request, errs[6] = NewDecoder[requestKeys]()
	s.execution, errs[7] = NewDecoder[executionKeys]()
	s.system, errs[8] = NewDecoder[systemKeys]()
	s.sourceGeneric, s.targetGeneric = sourceGeneric(), targetGeneric()
	return errors.Join(errs[:]...)
}
