//! Crate sphinx-packet behind a pipe. Requests on stdin: operation u8, length u32 (little endian, as all numbers here),
//! body. Answers on stdout: status u8 (0 done, 1 refused by the crate, 2 panicked), length u32, body (or the reason).
//!
//!   c  create   version u16, payload size u32, route, message             -> packet
//!   u  unwrap   key 32, packet   -> 1, version u16, tag 32, address 32, delay u64, packet
//!                                or 2, version u16, tag 32, destination 32, identifier 16, payload
//!   p  recover  payload                                                   -> message
//!   s  surb     version u16, route                                        -> reply block
//!   r  reply    payload size u32, block length u32, block, message        -> address 32, packet
//!   l  load     path of a file of packets, of which `size u32` bytes each; key 32 before the path
//!   b  bench    first u32, count u32: unwraps these packets  -> nanoseconds of this thread's time u64
//!   w  write    path: the results of all packets so far
//!
//! A route is: hops u8, for each hop key 32, address 32, delay u64; then destination 32, identifier 16.

use sphinx_packet::header::delays::Delay;
use sphinx_packet::packet::ProcessedPacketData;
use sphinx_packet::payload::Payload;
use sphinx_packet::route::{Destination, DestinationAddressBytes, Node, NodeAddressBytes};
use sphinx_packet::surb::{SURBMaterial, SURB};
use sphinx_packet::version::Version;
use sphinx_packet::{SphinxPacket, SphinxPacketBuilder};
use std::io::{Read, Write};
use std::panic::{catch_unwind, AssertUnwindSafe};
use x25519_dalek::{PublicKey, StaticSecret};

type Answer = Result<Vec<u8>, String>;

struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn bytes(&mut self, size: usize) -> &'a [u8] {
        let (head, tail) = self.0.split_at(size);
        self.0 = tail;
        head
    }
    fn array<const N: usize>(&mut self) -> [u8; N] {
        self.bytes(N).try_into().unwrap()
    }
    fn u16(&mut self) -> u16 {
        u16::from_le_bytes(self.array())
    }
    fn u32(&mut self) -> usize {
        u32::from_le_bytes(self.array()) as usize
    }
    fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.array())
    }
    fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }
}

struct Route {
    nodes: Vec<Node>,
    delays: Vec<Delay>,
    destination: Destination,
}

fn route(input: &mut Input) -> Route {
    let (mut nodes, mut delays) = (Vec::new(), Vec::new());
    for _ in 0..input.array::<1>()[0] {
        let key = PublicKey::from(input.array::<32>());
        nodes.push(Node::new(NodeAddressBytes::from_bytes(input.array()), key));
        delays.push(Delay::new_from_nanos(input.u64()));
    }
    let address = DestinationAddressBytes::from_bytes(input.array());
    Route { nodes, delays, destination: Destination::new(address, input.array()) }
}

fn text<E: std::fmt::Display>(error: E) -> String {
    error.to_string()
}

fn create(mut input: Input) -> Answer {
    let version = Version(input.u16());
    let size = input.u32();
    let route = route(&mut input);
    SphinxPacketBuilder::new()
        .with_version(version)
        .with_payload_size(size)
        .build_packet(input.rest(), &route.nodes, &route.destination, &route.delays)
        .map(|packet| packet.to_bytes())
        .map_err(text)
}

fn unwrap(mut input: Input) -> Answer {
    let key = StaticSecret::from(input.array::<32>());
    let packet = SphinxPacket::from_bytes(input.rest()).map_err(text)?;
    let tag = *packet.header.compute_expanded_shared_secret(&key).replay_tag();
    let processed = packet.process(&key).map_err(text)?;
    let mut out = Vec::new();
    let front = |kind: u8, out: &mut Vec<u8>| {
        out.push(kind);
        out.extend(processed.version.value().to_le_bytes());
        out.extend(tag);
    };
    match &processed.data {
        ProcessedPacketData::ForwardHop { next_hop_packet, next_hop_address, delay } => {
            front(1, &mut out);
            out.extend(next_hop_address.as_bytes());
            out.extend(delay.to_nanos().to_le_bytes());
            out.extend(next_hop_packet.to_bytes());
        }
        ProcessedPacketData::FinalHop { destination, identifier, payload } => {
            front(2, &mut out);
            out.extend(destination.as_bytes());
            out.extend(identifier);
            out.extend(payload.as_bytes());
        }
    }
    Ok(out)
}

fn recover(mut input: Input) -> Answer {
    let payload = Payload::from_bytes(input.rest()).map_err(text)?;
    payload.recover_plaintext().map_err(text)
}

fn surb(mut input: Input) -> Answer {
    let version = Version(input.u16());
    let route = route(&mut input);
    SURBMaterial::new(route.nodes, route.delays, route.destination)
        .with_version(version)
        .construct_SURB()
        .map(|block| block.to_bytes())
        .map_err(text)
}

fn reply(mut input: Input) -> Answer {
    let size = input.u32();
    let length = input.u32();
    let block = SURB::from_bytes(input.bytes(length)).map_err(text)?;
    let (packet, first) = block.use_surb(input.rest(), size).map_err(text)?;
    let mut out = first.as_bytes().to_vec();
    out.extend(packet.to_bytes());
    Ok(out)
}

#[derive(Default)]
struct Bench {
    size: usize,
    key: [u8; 32],
    packets: Vec<u8>,
    results: Vec<u8>,
}

fn thread_ns() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

impl Bench {
    fn load(&mut self, mut input: Input) -> Answer {
        self.size = input.u32();
        self.key = input.array();
        self.packets = std::fs::read(String::from_utf8_lossy(input.rest()).as_ref()).map_err(text)?;
        self.results = vec![0; self.packets.len()];
        Ok(Vec::new())
    }
    fn run(&mut self, mut input: Input) -> Answer {
        let (first, count) = (input.u32(), input.u32());
        let key = StaticSecret::from(self.key);
        let start = thread_ns();
        for i in first..first + count {
            let at = i * self.size..(i + 1) * self.size;
            let packet = SphinxPacket::from_bytes(&self.packets[at.clone()]).map_err(text)?;
            match packet.process(&key).map_err(text)?.data {
                ProcessedPacketData::ForwardHop { next_hop_packet, .. } => {
                    self.results[at].copy_from_slice(&next_hop_packet.to_bytes())
                }
                ProcessedPacketData::FinalHop { .. } => return Err("a last hop".into()),
            }
        }
        Ok((thread_ns() - start).to_le_bytes().to_vec())
    }
    fn write(&self, mut input: Input) -> Answer {
        std::fs::write(String::from_utf8_lossy(input.rest()).as_ref(), &self.results).map_err(text)?;
        Ok(Vec::new())
    }
}

fn answer(operation: u8, input: Input, bench: &mut Bench) -> Answer {
    match operation {
        b'c' => create(input),
        b'u' => unwrap(input),
        b'p' => recover(input),
        b's' => surb(input),
        b'r' => reply(input),
        b'l' => bench.load(input),
        b'b' => bench.run(input),
        b'w' => bench.write(input),
        _ => Err("no such operation".into()),
    }
}

fn main() -> std::io::Result<()> {
    std::panic::set_hook(Box::new(|_| {}));
    let (mut source, mut sink) = (std::io::stdin().lock(), std::io::stdout().lock());
    let mut bench = Bench::default();
    let mut head = [0u8; 5];
    while source.read_exact(&mut head).is_ok() {
        let length = u32::from_le_bytes(head[1..].try_into().unwrap()) as usize;
        let mut body = vec![0; length];
        source.read_exact(&mut body)?;
        let (status, out) = match catch_unwind(AssertUnwindSafe(|| answer(head[0], Input(&body), &mut bench))) {
            Ok(Ok(out)) => (0u8, out),
            Ok(Err(reason)) => (1, reason.into_bytes()),
            Err(_) => (2, b"panicked".to_vec()),
        };
        sink.write_all(&[status])?;
        sink.write_all(&(out.len() as u32).to_le_bytes())?;
        sink.write_all(&out)?;
        sink.flush()?;
    }
    Ok(())
}
