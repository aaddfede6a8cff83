//! Which RabbitMQ this is, as it says itself before anybody logs in (AMQP 0-9-1, `connection.start`).

use super::BrokerError;
use futures::{AsyncReadExt, AsyncWriteExt};
use lapin::protocol::{AMQPClass, connection::AMQPMethod, parse_class};
use lapin::tcp::AMQPUriTcpExt;
use lapin::types::AMQPValue;
use lapin::uri::AMQPUri;
use std::io;
use std::time::Duration;
use tokio::time::timeout;

/// The protocol that is asked for.
const PROTOCOL: &[u8] = b"AMQP\x00\x00\x09\x01";
/// Longest first frame that is read, bytes.
const FRAME_BYTES_MAX: u32 = 64 * 1024;
/// Oldest version whose quorum queues do what is asked of them.
const OLDEST: (u32, u32) = (3, 10);
/// Longest wait for the answer.
const WAIT: Duration = Duration::from_secs(5);

/// Refuses a server that is too old. One that does not answer, or does not say, is for others to speak of.
pub async fn check(url: &str) -> Result<(), BrokerError> {
    let Ok(Ok(Some(version))) = timeout(WAIT, ask(url)).await else { return Ok(()) };
    let mut numbers = version.split('.').map_while(|n| n.parse::<u32>().ok());
    let found = numbers.next().zip(numbers.next());
    if found.is_some_and(|found| found < OLDEST) { Err(BrokerError::TooOld { version }) } else { Ok(()) }
}

async fn ask(url: &str) -> io::Result<Option<String>> {
    let uri: AMQPUri = url.parse().map_err(|_| io::ErrorKind::InvalidInput)?;
    let runtime = lapin::runtime::default_runtime().map_err(io::Error::other)?;
    let mut stream = uri.connect_async(&runtime).await?;
    stream.write_all(PROTOCOL).await?;
    // A frame: type, channel, size, and so many bytes.
    let mut head = [0; 7];
    stream.read_exact(&mut head).await?;
    let size = u32::from_be_bytes([head[3], head[4], head[5], head[6]]);
    if size > FRAME_BYTES_MAX {
        return Ok(None);
    }
    let mut frame = vec![0; usize::try_from(size).unwrap_or_default()];
    stream.read_exact(&mut frame).await?;
    Ok(said(&frame))
}

fn said(frame: &[u8]) -> Option<String> {
    let Ok((_, AMQPClass::Connection(AMQPMethod::Start(start)))) = parse_class(frame) else { return None };
    match start.server_properties.inner().get("version") {
        Some(AMQPValue::LongString(version)) => Some(version.to_string()),
        _ => None,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    /// A server that says its version and nothing more.
    async fn server(version: &str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("amqp://guest:guest@{}/%2f", listener.local_addr().unwrap());
        let long = |text: &str| [&u32::try_from(text.len()).unwrap().to_be_bytes()[..], text.as_bytes()].concat();
        let property = [&b"\x07versionS"[..], &long(version)].concat();
        let table = [&u32::try_from(property.len()).unwrap().to_be_bytes()[..], &property].concat();
        let start = [&[0, 10, 0, 10, 0, 9][..], &table, &long("PLAIN"), &long("en_US")].concat();
        let frame = [&[1, 0, 0][..], &u32::try_from(start.len()).unwrap().to_be_bytes(), &start, &[0xCE]].concat();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.read_exact(&mut [0; 8]).await.unwrap();
            stream.write_all(&frame).await.unwrap();
        });
        url
    }

    #[tokio::test]
    async fn a_broker_that_is_too_old_is_refused_by_its_version() {
        for (version, is_fine) in
            [("3.9.29", false), ("2.8", false), ("3.10.0", true), ("3.13.7", true), ("4.1.0", true), ("?", true)]
        {
            let checked = check(&server(version).await).await;
            assert_eq!(checked.is_ok(), is_fine, "{version}");
            if let Err(refused) = checked {
                assert!(refused.to_string().contains(version) && refused.remedy().contains("3.10"), "{refused}");
            }
        }
    }

    #[tokio::test]
    async fn a_broker_that_is_away_is_not_called_too_old() {
        assert!(check("amqp://guest:guest@127.0.0.1:1/%2f").await.is_ok());
    }
}
