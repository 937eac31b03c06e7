// Peer of the check messages_1k_vs_yamux: messages of one size over one hashicorp/yamux stream, loopback, no
// encryption, window 16 MiB.
//
//	yamux-peer receive                 prints its port, then serves for ever
//	yamux-peer send PORT COUNT each    one Write for each message, as a caller has them
//	yamux-peer send PORT COUNT buffered  through a bufio.Writer of 64 KiB
//
// A message is 1,024 bytes: number, random bytes, SHA-256 of all before it. The receiver reads through a
// bufio.Reader of 256 KiB, checks number and digest of each, and answers with the count. The sender prints the
// seconds from its first write to that answer.
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
)

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
		digest := sha256.Sum256(all[i][:messageBytes-sha256.Size])
		copy(all[i][messageBytes-sha256.Size:], digest[:])
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
	message := make([]byte, messageBytes)
	for i := uint64(0); i < count; i++ {
		_, err = io.ReadFull(reader, message)
		check(err)
		digest := sha256.Sum256(message[:messageBytes-sha256.Size])
		if binary.LittleEndian.Uint64(message) != i%different || !bytes.Equal(digest[:], message[messageBytes-sha256.Size:]) {
			log.Fatal("message arrived changed")
		}
	}
	_, err = stream.Write(head[:])
	check(err)
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

func send(port string, count uint64, buffered bool) {
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
	binary.LittleEndian.PutUint64(head[:], count)
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
	if binary.LittleEndian.Uint64(head[:]) != count {
		log.Fatal("another count came back")
	}
	session.Close()
}

func main() {
	switch {
	case len(os.Args) == 2 && os.Args[1] == "receive":
		receive()
	case len(os.Args) == 5 && os.Args[1] == "send":
		count, err := strconv.ParseUint(os.Args[3], 10, 64)
		check(err)
		send(os.Args[2], count, os.Args[4] == "buffered")
	default:
		log.Fatal("usage: yamux-peer receive | send PORT COUNT each|buffered")
	}
}
