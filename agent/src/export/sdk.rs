//! The span exporter of the OpenTelemetry SDK on the same endpoint, for the agent's own spans only.
//!
//! The data path does not come here: see the ADR on the sender of our own.
//!
//! Invariant: certificates, headers and redaction are those of the data path; nothing is configured twice.

use opentelemetry_otlp::{
    Compression as SdkCompression, SpanExporter, WithExportConfig as _, WithHttpConfig as _, WithTonicConfig as _,
};
use tonic::metadata::MetadataMap;

use super::counts::Signal;
use super::settings::{Compression, Protocol, SignalSettings};
use super::transport::{self, StartError};

/// An exporter of the SDK that sends spans where `settings` says. It needs the runtime it is made on.
///
/// # Errors
/// A file that a setting names cannot be used.
pub(crate) fn sdk_exporter(settings: &SignalSettings) -> Result<SpanExporter, StartError> {
    let exporter = match settings.protocol {
        Protocol::Grpc => {
            let (channel, headers) = transport::grpc(settings, Signal::Traces)?.parts();
            let builder = SpanExporter::builder().with_tonic().with_channel(channel).with_timeout(settings.timeout);
            let builder = builder.with_metadata(MetadataMap::from_headers(headers));
            match settings.compression {
                Compression::Gzip => builder.with_compression(SdkCompression::Gzip).build(),
                Compression::None => builder.build(),
            }
        }
        Protocol::HttpProtobuf => {
            let builder = SpanExporter::builder().with_http().with_http_client(transport::http_client(settings)?);
            let builder = builder.with_endpoint(settings.url.as_str()).with_timeout(settings.timeout);
            match settings.compression {
                Compression::Gzip => builder.with_compression(SdkCompression::Gzip).build(),
                Compression::None => builder.build(),
            }
        }
    };
    exporter.map_err(|error| StartError::Setup { url: settings.shown_url(), problem: error.to_string() })
}
