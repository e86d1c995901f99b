use crate::harness::{Server, Site};
use std::time::{Duration, Instant};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

/// Long enough for a server that shares its computer with builds.
const PATIENCE: Duration = Duration::from_secs(60);

async fn connect(server: &Server<'_>) -> TcpStream {
    let address = server.url.rsplit_once('/').unwrap().1;
    TcpStream::connect(address).await.unwrap()
}

/// What comes until the server hangs up.
async fn rest(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    // It may end by a reset, because what was sent last was never read.
    let _ = timeout(PATIENCE, stream.read_to_string(&mut text)).await.expect("the server hangs up");
    text
}

async fn is_alive(stream: &mut TcpStream) -> bool {
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut answer = [0; 12];
    timeout(PATIENCE, stream.read_exact(&mut answer)).await.is_ok_and(|read| read.is_ok())
        && answer == *b"HTTP/1.1 200"
}

#[tokio::test]
async fn whoever_sends_nothing_or_a_byte_at_a_time_is_left() {
    let site = Site::new(&[]);
    let server = site.serve_with(&["--idle-timeout", "3s"]);
    let began = Instant::now();
    let (mut silent, mut slow, mut kept) =
        (connect(&server).await, connect(&server).await, connect(&server).await);
    assert!(is_alive(&mut kept).await);
    let drip = async {
        for byte in b"GET /healthz HTTP/1.1\r\nx: ".iter().chain(std::iter::repeat(&b'y')) {
            if slow.write_all(&[*byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, drip).await.expect("the server hangs up however often a byte comes");
    assert_eq!(rest(&mut silent).await, "");
    rest(&mut kept).await;
    assert!(began.elapsed() >= Duration::from_secs(3));
    assert!(is_alive(&mut connect(&server).await).await);
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let site = Site::new(&[]);
    let server = site.serve_with(&["--request-timeout", "1s"]);
    let mut stream = connect(&server).await;
    let token = "sit_8uVq2ZtYw0LkSx7RmBnD4cJhPf3GaE1pDYNs";
    let head = format!(
        "POST /v1/seat/ping HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\n\
         content-length: 100\r\n\r\n{{"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    assert!(rest(&mut stream).await.starts_with("HTTP/1.1 503"));
}

#[tokio::test]
async fn more_than_there_is_room_for_wait_their_turn() {
    let site = Site::new(&[]);
    let server = site.serve_with(&["--max-connections", "2"]);
    let (mut first, mut second) = (connect(&server).await, connect(&server).await);
    assert!(is_alive(&mut first).await && is_alive(&mut second).await);
    let mut third = connect(&server).await;
    let waiting = timeout(Duration::from_millis(100), is_alive(&mut third)).await;
    assert!(waiting.is_err(), "there is no room");
    drop(first);
    let mut answer = [0; 12];
    timeout(PATIENCE, third.read_exact(&mut answer)).await.expect("now there is").unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
}
