// Peer of the check messages_1k_vs_yamux: messages of one size over one hashicorp/yamux stream, loopback, no
// encryption, window 16 MiB.
//
//	yamux-peer receive                 prints its port, then serves for ever
//	yamux-peer send PORT COUNT each words       one Write for each message, as a caller has them
//	yamux-peer send PORT COUNT buffered words   through a bufio.Writer of 64 KiB
//
// A message is 1,024 bytes: number, random bytes, SHA-256 of all before it, and a digest of 64 bits of all before
// that. The receiver reads through a bufio.Reader of 256 KiB, checks number and digest of each (the 64 bits, or with
// "sha256" in place of "words" the other), and answers with the count. The sender prints the seconds from its first
// write to that answer. bench/htx/messages.cpp makes and checks the same messages.
package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"log"
	"math/rand"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/hashicorp/yamux"
)

const (
	messageBytes = 1024
	different    = 1024
	shaAt        = 984
	wordsAt      = 1016
	checkSha     = 1 << 63 // in the count that the sender says first
)

// words digests shaAt + 32 bytes: four lanes of multiplications.
func words(m []byte) uint64 {
	const k = 0x9e3779b97f4a7c15
	m = m[:wordsAt]
	a, b, c, d := uint64(1), uint64(2), uint64(3), uint64(4)
	for len(m) >= 32 {
		a = (a ^ binary.LittleEndian.Uint64(m)) * k
		b = (b ^ binary.LittleEndian.Uint64(m[8:])) * k
		c = (c ^ binary.LittleEndian.Uint64(m[16:])) * k
		d = (d ^ binary.LittleEndian.Uint64(m[24:])) * k
		a, b, c, d = a^a>>29, b^b>>29, c^c>>29, d^d>>29
		m = m[32:]
	}
	for len(m) >= 8 {
		a = (a ^ binary.LittleEndian.Uint64(m)) * k
		a ^= a >> 29
		m = m[8:]
	}
	return ((a*k^b)*k^c)*k ^ d
}

func config() *yamux.Config {
	c := yamux.DefaultConfig()
	c.MaxStreamWindowSize = 16 << 20
	c.EnableKeepAlive = false
	c.LogOutput = io.Discard
	return c
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func messages() [][]byte {
	random := rand.New(rand.NewSource(1))
	all := make([][]byte, different)
	for i := range all {
		all[i] = make([]byte, messageBytes)
		random.Read(all[i])
		binary.LittleEndian.PutUint64(all[i], uint64(i))
		digest := sha256.Sum256(all[i][:shaAt])
		copy(all[i][shaAt:], digest[:])
		binary.LittleEndian.PutUint64(all[i][wordsAt:], words(all[i]))
	}
	return all
}

func serve(connection net.Conn) {
	session, err := yamux.Server(connection, config())
	check(err)
	stream, err := session.AcceptStream()
	check(err)
	reader := bufio.NewReaderSize(stream, 256<<10)
	var head [8]byte
	_, err = io.ReadFull(reader, head[:])
	check(err)
	count := binary.LittleEndian.Uint64(head[:])
	sha := count&checkSha != 0
	count &^= checkSha
	message := make([]byte, messageBytes)
	for i := uint64(0); i < count; i++ {
		_, err = io.ReadFull(reader, message)
		check(err)
		same := binary.LittleEndian.Uint64(message) == i%different
		if sha {
			digest := sha256.Sum256(message[:shaAt])
			same = same && bytes.Equal(digest[:], message[shaAt:wordsAt])
		} else {
			same = same && words(message) == binary.LittleEndian.Uint64(message[wordsAt:])
		}
		if !same {
			log.Fatal("message arrived changed")
		}
	}
	stream.Write(head[:]) // the sender says if it does not come; its end may come before this write's
	io.Copy(io.Discard, stream)
	session.Close()
}

func receive() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	for {
		connection, err := listener.Accept()
		check(err)
		go serve(connection)
	}
}

func send(port string, count uint64, buffered, sha bool) {
	connection, err := net.Dial("tcp", "127.0.0.1:"+port)
	check(err)
	session, err := yamux.Client(connection, config())
	check(err)
	stream, err := session.OpenStream()
	check(err)
	all := messages()
	var writer io.Writer = stream
	var buffer *bufio.Writer
	if buffered {
		buffer = bufio.NewWriterSize(stream, 64<<10)
		writer = buffer
	}
	var head [8]byte
	asked := count
	if sha {
		asked |= checkSha
	}
	binary.LittleEndian.PutUint64(head[:], asked)
	start := time.Now()
	_, err = writer.Write(head[:])
	check(err)
	for i := uint64(0); i < count; i++ {
		_, err = writer.Write(all[i%different])
		check(err)
	}
	if buffer != nil {
		check(buffer.Flush())
	}
	_, err = io.ReadFull(stream, head[:])
	check(err)
	fmt.Println(time.Since(start).Seconds())
	if binary.LittleEndian.Uint64(head[:]) != asked {
		log.Fatal("another count came back")
	}
	session.Close()
}

func main() {
	switch {
	case len(os.Args) == 2 && os.Args[1] == "receive":
		receive()
	case len(os.Args) == 6 && os.Args[1] == "send":
		count, err := strconv.ParseUint(os.Args[3], 10, 64)
		check(err)
		send(os.Args[2], count, os.Args[4] == "buffered", os.Args[5] == "sha256")
	default:
		log.Fatal("usage: yamux-peer receive | send PORT COUNT each|buffered words|sha256")
	}
}
