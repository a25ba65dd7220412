//! A gRPC connection for messages that are compressed already.
//!
//! tonic compresses at a level that costs several times what the fastest one does, for a message that is hardly smaller,
//! and a backend that comes back after an outage waits for that. So the message is compressed before, and only what says
//! so is put in its place here: the header, and the flag in front of the message.
//!
//! Invariant: a request has one message, and its flag is the first byte of the body.

use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Body as HttpBody, Frame, SizeHint};
use prost::bytes::{Bytes, BytesMut};
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::Service;
use tonic::codegen::http::{HeaderValue, Request};
use tonic::transport::Channel;

/// The channel, and whether messages that go through it are compressed.
#[derive(Clone)]
pub(super) struct Gzipped {
    pub(super) channel: Channel,
    pub(super) is_on: bool,
}

impl Service<Request<Body>> for Gzipped {
    type Response = <Channel as Service<Request<Body>>>::Response;
    type Error = <Channel as Service<Request<Body>>>::Error;
    type Future = <Channel as Service<Request<Body>>>::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.channel.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        if !self.is_on {
            return self.channel.call(request);
        }
        let (mut head, body) = request.into_parts();
        head.headers.insert("grpc-encoding", HeaderValue::from_static("gzip"));
        self.channel.call(Request::from_parts(head, Body::new(Flagged { body, is_flagged: false })))
    }
}

/// A body whose message is said to be compressed.
struct Flagged {
    body: Body,
    is_flagged: bool,
}

impl HttpBody for Flagged {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if self.is_flagged {
            return polled;
        }
        polled.map_ok(|frame| match frame.into_data() {
            Ok(data) => {
                self.is_flagged = !data.is_empty();
                Frame::data(flagged(data))
            }
            Err(other) => other,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The same with the flag of a compressed message.
fn flagged(data: Bytes) -> Bytes {
    let mut data = data.try_into_mut().unwrap_or_else(|shared| BytesMut::from(shared.as_ref()));
    if let Some(flag) = data.first_mut() {
        *flag = 1;
    }
    data.freeze()
}
