// Package archtest checks the rules of the code layout: layers, package
// comments, names and pages.
package archtest
