// The Rust side of the live Noise test, over snow; ../../README.md describes what it says.
use std::io::{stdin, stdout, Read, Write};

type Failure = Box<dyn std::error::Error>;

const SIZES: [usize; 5] = [0, 1, 100, 16384, 65519];
const MESSAGE_MAX: usize = 65535;

fn send(message: &[u8]) -> Result<(), Failure> {
    let mut out = stdout().lock();
    out.write_all(&(message.len() as u16).to_be_bytes())?;
    out.write_all(message)?;
    Ok(out.flush()?)
}

fn receive() -> Result<Vec<u8>, Failure> {
    let mut input = stdin().lock();
    let mut length = [0; 2];
    input.read_exact(&mut length)?;
    let mut message = vec![0; u16::from_be_bytes(length) as usize];
    input.read_exact(&mut message)?;
    Ok(message)
}

fn hex(text: &str) -> Result<Vec<u8>, Failure> {
    (0..text.len()).step_by(2).map(|i| Ok(u8::from_str_radix(&text[i..i + 2], 16)?)).collect()
}

fn handshake(state: &mut snow::HandshakeState) -> Result<(), Failure> {
    let mut buffer = vec![0; MESSAGE_MAX];
    for i in 0.. {
        if state.is_handshake_finished() {
            break;
        }
        let payload = format!("handshake payload {i}").into_bytes();
        if state.is_my_turn() {
            let size = state.write_message(&payload, &mut buffer)?;
            send(&buffer[..size])?;
        } else {
            let size = state.read_message(&receive()?, &mut buffer)?;
            if buffer[..size] != payload[..] {
                return Err("wrong handshake payload".into());
            }
        }
    }
    Ok(())
}

fn send_sealed(state: &mut snow::TransportState, plain: &[u8]) -> Result<(), Failure> {
    let mut buffer = vec![0; MESSAGE_MAX];
    let size = state.write_message(plain, &mut buffer)?;
    send(&buffer[..size])
}

fn expect_sealed(state: &mut snow::TransportState, expected: &[u8]) -> Result<(), Failure> {
    let mut buffer = vec![0; MESSAGE_MAX];
    let size = state.read_message(&receive()?, &mut buffer)?;
    if buffer[..size] != *expected {
        return Err(format!("wrong transport message of {} bytes", expected.len()).into());
    }
    Ok(())
}

fn exchange(state: &mut snow::TransportState, initiator: bool, one_way: bool) -> Result<(), Failure> {
    for round in 0..2 {
        if round > 0 {
            state.rekey_outgoing();
            state.rekey_incoming();
        }
        for size in SIZES {
            let plain: Vec<u8> = (0..size).map(|j| (j + size) as u8).collect();
            if initiator {
                send_sealed(state, &plain)?;
            } else {
                expect_sealed(state, &plain)?;
            }
            if one_way {
                continue;
            }
            if initiator {
                expect_sealed(state, &plain)?;
            } else {
                send_sealed(state, &plain)?;
            }
        }
    }
    Ok(())
}

fn run() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [role, name, prologue, private, remote, psk] = &arguments[..] else {
        return Err("six arguments".into());
    };
    let initiator = role == "initiator";
    let pattern = name.split('_').nth(1).ok_or("no pattern")?;
    let one_way = pattern.split("psk").next().map(str::len) == Some(1);
    let (prologue, private) = (hex(prologue)?, hex(private)?);
    let remote_key = if remote == "-" { None } else { Some(hex(remote)?) };
    let shared: Option<[u8; 32]> = if psk == "-" { None } else { hex(psk)?.try_into().ok() };
    let mut builder = snow::Builder::new(name.parse()?).prologue(&prologue)?.local_private_key(&private)?;
    if let Some(key) = &remote_key {
        builder = builder.remote_public_key(key)?;
    }
    if let Some(key) = &shared {
        let place = pattern.split("psk").nth(1).ok_or("no place for the psk")?.parse()?;
        builder = builder.psk(place, key)?;
    }
    let mut state = if initiator { builder.build_initiator()? } else { builder.build_responder()? };
    handshake(&mut state)?;
    let hash: String = state.get_handshake_hash().iter().map(|b| format!("{b:02x}")).collect();
    exchange(&mut state.into_transport_mode()?, initiator, one_way)?;
    eprintln!("done {hash}");
    Ok(())
}

fn main() {
    if let Err(failure) = run() {
        eprintln!("rust peer: {failure}");
        std::process::exit(1);
    }
}
