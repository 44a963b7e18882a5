// Package api is the management API of Busbar: REST with JSON below /api/v1, its OpenAPI document, and
// streams of server-sent events.
//
// # How a route is added
//
// One file per resource. It holds the types of the bodies, the handlers, and one function that
// registers the routes; [registerRoutes] calls it:
//
//	func registerPoints(a *api) {
//		register(a, op{
//			ID: "getPoint", Method: http.MethodGet, Path: "/points/{id}", Tag: "points",
//			Role: auth.Viewer, Scope: scopePoints,
//			Summary: "One point", Errors: []int{http.StatusNotFound},
//		}, a.getPoint)
//	}
//
//	type pointInput struct {
//		ID string `path:"id" doc:"Id of the point" example:"ons4711/t1/oil"`
//	}
//	type pointOutput struct {
//		ETag string `header:"ETag"`
//		Body Point
//	}
//
//	func (a *api) getPoint(ctx context.Context, in *pointInput) (*pointOutput, error)
//
// Registering must not touch [Deps]: the OpenAPI document is made without them. Handlers use a.deps.
//
//   - Every route names a role and a scope, or says Public or SignedIn; it cannot be registered
//     otherwise. The core checks them before the handler runs. With scopePoints the handler filters by
//     [auth.Principal.Sees]; principals that are limited to subtrees are refused with scopeWhole.
//   - auth.From(ctx) is who asks; actor(ctx) is the same for [Deps].
//   - Errors are problems: notFound("…"), conflict("…"), invalid("…", Fault{…}). plant.Problems and the
//     errors of the store are turned into problems by the core; anything else is a 500 whose text is
//     in the log alone.
//   - Errors of op lists the answers of the handler; the core adds 401, 403, 422, 413 and 415 where
//     they can happen. The tests of the package fail if a documented answer is never seen, or one is
//     seen that is not documented.
//   - Changing routes are audited by the core. noteObject(ctx, "points/…"), noteChange(ctx, before,
//     after) and noteDetail(ctx, "…") say more than the path does. Harmless: true is for a POST that changes nothing.
//   - Lists: embed Page in the input, return newList(…). Objects: embed
//     Conditions in the input, see etag.go. (The library leaves out what is embedded and not exported.)
//   - Slices that are never null are tagged nullable:"false", and are not nil.
//   - A body that is read as a stream: Consumes and MaxBody in op, bodyOf(ctx) in the handler.
//   - Server-sent events: registerStream, see stream.go. Downloads: download, see download.go.
//   - Tests: newRig(t) in rig_test.go; every request that goes through it counts for the coverage of
//     the document.
package api
