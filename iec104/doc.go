// Package iec104 implements both roles of IEC 60870-5-104: the controlled
// station ([Server]) and the controlling station ([Client]). It stands on the
// standard library alone.
//
// Package [busbar/iec104/asdu] has the application data, with one table row per
// type identification; package [busbar/iec104/apci] the frames. Both roles share
// one link: numbering, acknowledgement with k and w, the timers t1, t2 and t3,
// and the states of data transfer, set with [Params].
//
// # Controlled station
//
// A [Server] serves any number of controlling stations. The application is a
// [Station]: it opens a [Session] for each connection, which hands over events
// when the connection can take them and forgets them when they are confirmed,
// and answers interrogations from an iterator. Packing, order, answers and
// refusals are the server's. A session may have more: commands of some types only
// ([CommandTypes]), parameters ([ParameterSession]), files ([FileSession]).
//
// # Controlling station
//
// A [Client] is the controlling station of one controlled station. [Client.Run]
// keeps it connected: over one address, or over several of which one has data
// transfer and the others are standbys. Everything received goes to the function
// given with [WithHandler], ASDU by ASDU and without allocation;
// [asdu.ASDU.AppendObjects] decodes the objects into a slice of the caller.
// [WithLinkEvents] tells when data transfer starts, which is the moment to
// synchronise the clock and to interrogate, and when a connection is lost, which
// is the moment to mark the values as not topical.
//
// The requests, such as [Client.Interrogate] and [Client.Command], return when the
// station has answered completely. They tell apart a refusal (*[NegativeError] with
// its cause of transmission), no answer ([ErrTimeout]), an answer that began and did
// not end ([ErrIncomplete]), a restart of the station ([ErrRestarted]) and the loss of
// the connection ([ErrClosed]). An answer belongs to a request by type, common
// address, object address and contents; one that comes late is never taken for
// that to the next request.
//
// Files are read with [Client.ReadFile] and written with [Client.WriteFile], one at a
// time; values go on coming meanwhile, and nothing waits for a file.
//
// A client costs one goroutine and about 7 KiB while its link is idle.
//
// # Reverse connect
//
// Either side may establish the connection, whatever its role. A station that
// cannot be reached, behind NAT for example, calls [Server.DialOut]; the controlling
// station takes such connections with an [Acceptor], which tells any number of
// stations apart and hands each connection to the [Client] of its station. STARTDT
// and all requests remain with the controlling station.
//
// # Errors and limits
//
// Bad octets close the one connection they came on, with a [LinkError] that has
// a [Reason]. What a peer can make grow is bounded. All methods may be called from
// any goroutine unless they say otherwise; functions given as options are called
// without locks.
package iec104
