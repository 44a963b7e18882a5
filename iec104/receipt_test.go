package iec104

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"busbar/iec104/asdu"
)

// keep is an application that releases what it has received when it is told to.
type keep struct{ receipts []Receipt }

func (k *keep) take(_ asdu.ASDU, r Receipt) { k.receipts = append(k.receipts, r) }

// TestReceiptsDecideWhatIsAcknowledged is played like the rows of conformance.
func TestReceiptsDecideWhatIsAcknowledged(t *testing.T) {
	t.Parallel()
	for _, c := range receiptRows() {
		for _, m := range media() {
			t.Run(c.row+"/"+m.name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					k := &keep{}
					r := newRig(t, c.p, m, WithReceipts(k.take))
					r.start()
					c.script(r, k)
				})
			})
		}
	}
}

const unknownType = "ff 01 03 00 01 00 64 00 00 01"

type receiptRow struct {
	row    string
	p      Params
	script func(r *rig, k *keep)
}

func receiptRows() []receiptRow {
	few := Params{K: 4, W: 2}
	return []receiptRow{
		{"nothing is acknowledged by itself", few, func(r *rig, _ *keep) {
			r.tell(spont(1), spont(2), spont(3), spont(4))
			r.silence(19 * time.Second)
		}},
		{"w released frames are acknowledged at once, and no others", few, func(r *rig, k *keep) {
			r.tell(spont(1), spont(2), spont(3), spont(4))
			k.receipts[0].Release()
			r.expectSilence()
			k.receipts[2].Release() // and the one before it
			r.expect("68 04 01 00 06 00")
			r.silence(15 * time.Second)
			k.receipts[1].Release() // is acknowledged already
			r.silence(3 * time.Second)
		}},
		{"fewer are acknowledged after t2, which begins with the release", few, func(r *rig, k *keep) {
			r.tell(spont(1))
			r.wait(5 * time.Second)
			k.receipts[0].Release()
			r.silence(10*time.Second - time.Millisecond)
			r.wait(time.Millisecond)
			r.expect("68 04 01 00 02 00")
		}},
		{"a request acknowledges what was released", few, func(r *rig, k *keep) {
			r.tell(spont(1), spont(2))
			k.receipts[0].Release()
			r.command()
			r.expect("68 0e 00 00 02 00 2d 01 06 05 01 00 88 13 00 01")
		}},
		{"what the application does not get needs no release", few, func(r *rig, k *keep) {
			r.tell(unknownType, unknownType)
			r.expect("68 04 01 00 04 00")
			r.tell(spont(1), unknownType)
			r.expectSilence()
			k.receipts[0].Release()
			r.expect("68 04 01 00 08 00")
			r.tell(spont(2), unknownType, spont(3))
			k.receipts[1].Release()
			r.wait(10 * time.Second)
			r.expect("68 04 01 00 0a 00") // the one behind it waits for the last
		}},
		{"refused: closed without an acknowledgement", few, func(r *rig, k *keep) {
			r.tell(spont(1), spont(2))
			k.receipts[0].Release()
			k.receipts[1].Refuse(errors.New("no room"))
			synctest.Wait()
			r.expectClosed(ClosedLocally)
			k.receipts[1].Release()
		}},
		{"data transfer ends when all is released", few, func(r *rig, k *keep) {
			r.tell(spont(1))
			done := r.stopping()
			r.expect(stopDTAct)
			r.expectSilence()
			k.receipts[0].Release()
			r.expect("68 04 01 00 02 00")
			r.send(stopDTCon)
			if err := <-done; err != nil {
				r.t.Fatal(err)
			}
		}},
	}
}
