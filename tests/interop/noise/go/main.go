// The Go side of the live Noise test, over flynn/noise; ../README.md describes what it says.
package main

import (
	"bytes"
	"crypto/ecdh"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/flynn/noise"
)

var patterns = map[string]noise.HandshakePattern{
	"N": noise.HandshakeN, "K": noise.HandshakeK, "X": noise.HandshakeX,
	"NN": noise.HandshakeNN, "NK": noise.HandshakeNK, "NX": noise.HandshakeNX,
	"XN": noise.HandshakeXN, "XK": noise.HandshakeXK, "XX": noise.HandshakeXX,
	"KN": noise.HandshakeKN, "KK": noise.HandshakeKK, "KX": noise.HandshakeKX,
	"IN": noise.HandshakeIN, "IK": noise.HandshakeIK, "IX": noise.HandshakeIX,
}
var ciphers = map[string]noise.CipherFunc{"ChaChaPoly": noise.CipherChaChaPoly, "AESGCM": noise.CipherAESGCM}
var hashes = map[string]noise.HashFunc{
	"SHA256": noise.HashSHA256, "SHA512": noise.HashSHA512, "BLAKE2s": noise.HashBLAKE2s, "BLAKE2b": noise.HashBLAKE2b,
}
var sizes = []int{0, 1, 100, 16384, 65519}

func must[T any](value T, err error) T {
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "go peer:", err)
		os.Exit(1)
	}
}

func send(message []byte) {
	framed := binary.BigEndian.AppendUint16(nil, uint16(len(message)))
	must(os.Stdout.Write(append(framed, message...)))
}

func receive() []byte {
	var length [2]byte
	must(io.ReadFull(os.Stdin, length[:]))
	message := make([]byte, binary.BigEndian.Uint16(length[:]))
	must(io.ReadFull(os.Stdin, message))
	return message
}

func configure(arguments []string) (noise.Config, bool) {
	parts := strings.Split(arguments[1], "_")
	split := regexp.MustCompile(`^([A-Z0-9]+)(?:psk([0-4]))?$`).FindStringSubmatch(parts[1])
	private := must(hex.DecodeString(arguments[3]))
	public := must(ecdh.X25519().NewPrivateKey(private)).PublicKey().Bytes()
	config := noise.Config{
		CipherSuite:   noise.NewCipherSuite(noise.DH25519, ciphers[parts[3]], hashes[parts[4]]),
		Random:        rand.Reader,
		Pattern:       patterns[split[1]],
		Initiator:     arguments[0] == "initiator",
		Prologue:      must(hex.DecodeString(arguments[2])),
		StaticKeypair: noise.DHKey{Private: private, Public: public},
	}
	if arguments[4] != "-" {
		config.PeerStatic = must(hex.DecodeString(arguments[4]))
	}
	if arguments[5] != "-" {
		config.PresharedKey = must(hex.DecodeString(arguments[5]))
		config.PresharedKeyPlacement = must(strconv.Atoi(split[2]))
	}
	return config, len(split[1]) == 1
}

// handshake returns the initiator's and the responder's sending cipher.
func handshake(state *noise.HandshakeState, initiator bool) (forth, back *noise.CipherState) {
	for i := 0; forth == nil; i++ {
		payload := []byte("handshake payload " + strconv.Itoa(i))
		var err error
		if (i%2 == 0) == initiator {
			var message []byte
			message, forth, back, err = state.WriteMessage(nil, payload)
			check(err)
			send(message)
		} else {
			var got []byte
			got, forth, back, err = state.ReadMessage(nil, receive())
			check(err)
			if !bytes.Equal(got, payload) {
				check(fmt.Errorf("wrong handshake payload %q", got))
			}
		}
	}
	return
}

func expect(cipher *noise.CipherState, expected []byte) {
	if plain := must(cipher.Decrypt(nil, nil, receive())); !bytes.Equal(plain, expected) {
		check(fmt.Errorf("wrong transport message of %d bytes", len(expected)))
	}
}

func exchange(forth, back *noise.CipherState, initiator, oneWay bool) {
	for round := 0; round < 2; round++ {
		if round > 0 {
			forth.Rekey()
			back.Rekey()
		}
		for _, size := range sizes {
			plain := make([]byte, size)
			for j := range plain {
				plain[j] = byte(j + size)
			}
			if initiator {
				send(must(forth.Encrypt(nil, nil, plain)))
			} else {
				expect(forth, plain)
			}
			if oneWay {
				continue
			}
			if initiator {
				expect(back, plain)
			} else {
				send(must(back.Encrypt(nil, nil, plain)))
			}
		}
	}
}

func main() {
	config, oneWay := configure(os.Args[1:])
	state := must(noise.NewHandshakeState(config))
	forth, back := handshake(state, config.Initiator)
	exchange(forth, back, config.Initiator, oneWay)
	fmt.Fprintf(os.Stderr, "done %x\n", state.ChannelBinding())
}
