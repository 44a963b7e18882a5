package api

import (
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// downloadIdle is how long a client may take for a part of a download.
const downloadIdle = 30 * time.Second

// download answers with a file that write writes. If it fails after the first
// octet the connection is cut, so that the client does not take a part for the whole.
func (a *api) download(req *request, kind, name string, write func(io.Writer) error) *huma.StreamResponse {
	return &huma.StreamResponse{Body: func(huma.Context) {
		h := req.answer.Header()
		h.Set("Content-Type", kind)
		h.Set("Content-Disposition", `attachment; filename="`+name+`"`)
		err := write(&slowAnswer{req.answer, http.NewResponseController(req.answer)})
		if err == nil {
			return
		}
		a.log.Error("download failed", "request", req.id, "operation", req.op.ID, "error", err)
		if req.answer.status != 0 {
			panic(http.ErrAbortHandler)
		}
		h.Del("Content-Disposition")
		a.fail(req, internalError(req.id))
	}}
}

// slowAnswer is an answer of which every part has a deadline, whatever the
// server's timeout for whole answers is.
type slowAnswer struct {
	http.ResponseWriter
	control *http.ResponseController
}

// Write implements [io.Writer].
func (s *slowAnswer) Write(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil // nothing has been answered yet
	}
	if err := s.control.SetWriteDeadline(time.Now().Add(downloadIdle)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, err
	}
	return s.ResponseWriter.Write(b)
}
