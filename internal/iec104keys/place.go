package iec104keys

import (
	"net"
	"net/netip"
	"strconv"
)

// HostPort reports whether an address is host:port with a number as port.
func HostPort(addr string) bool {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	_, err = strconv.ParseUint(port, 10, 16)
	return err == nil
}

// HostOf returns the host of an address, empty if there is none.
func HostOf(addr string) string {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return ""
	}
	return host
}

// Loopback reports whether only this machine reaches a host. An empty host is
// every address.
func Loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}
