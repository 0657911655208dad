//! Time stamps (RFC 3161): the request for a digest, and what a response says.
//!
//! The response is read far enough to know that it is a time stamp for this digest, that one signer signed it, and that
//! the signed content is this one. Whether the signature is valid and the signer is an authority is not checked here:
//! this needs certificates, and `openssl ts -verify` does it.

use sha2::{Digest, Sha256, Sha384, Sha512};

use super::der::{
    BOOLEAN, CONTEXT_0, GENERALIZED_TIME, INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, SET, Values,
    integer, value,
};

/// 2.16.840.1.101.3.4.2.1
const SHA_256: [u8; 9] = [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];
/// 2.16.840.1.101.3.4.2.2
const SHA_384: [u8; 9] = [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02];
/// 2.16.840.1.101.3.4.2.3
const SHA_512: [u8; 9] = [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03];
/// 1.2.840.113549.1.9.3, the attribute that says what kind of content was signed
const CONTENT_TYPE: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x03];
/// 1.2.840.113549.1.9.4, the attribute with the content's digest
const MESSAGE_DIGEST: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x04];
/// 1.2.840.113549.1.7.2, the signed data of CMS
const SIGNED_DATA: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];
/// 1.2.840.113549.1.9.16.1.4
const TIME_STAMP_INFO: [u8; 11] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x01, 0x04];
/// Longest response that is read.
pub(super) const RESPONSE_BYTES_MAX: u64 = 1 << 20;

/// Why a response is not a time stamp for a digest.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimeStampError {
    /// It is not what RFC 3161 describes.
    #[error("the time-stamp response is malformed at {0}: expected what RFC 3161 describes, in DER")]
    Malformed(&'static str),
    /// The authority did not grant it.
    #[error("the time-stamping authority refused with status {0}: expected 0 or 1")]
    Refused(u64),
    /// Nobody signed it, or several did.
    #[error("the time stamp is not signed: expected one signer with a signature")]
    Unsigned,
    /// What was signed is not what the time stamp says.
    #[error(
        "the time stamp's signature is for another content: expected its SHA-256, SHA-384 or SHA-512 in it"
    )]
    OtherContent,
    /// It is for something else.
    #[error("the time stamp is for another digest")]
    OtherDigest,
    /// It answers another request.
    #[error("the time stamp answers another request: expected the request's nonce")]
    OtherNonce,
}

/// What a granted time stamp says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeStampResponse {
    /// The digest that was stamped.
    pub sha256: [u8; 32],
    /// When, as the response has it: `YYYYMMDDhhmmss[.f]Z`.
    pub time: String,
    /// The request's nonce, if it is repeated: its content in DER.
    nonce: Option<Vec<u8>>,
}

/// The request for a digest, in DER; the authority's certificate is asked for with it. The nonce is random and
/// binds the response to this request.
///
/// It is sent as `application/timestamp-query` and answered with `application/timestamp-reply`.
#[must_use]
pub fn time_stamp_request(sha256: &[u8; 32], nonce: u64) -> Vec<u8> {
    let algorithm = value(SEQUENCE, &[value(OBJECT_IDENTIFIER, &SHA_256), vec![0x05, 0x00]].concat());
    let imprint = value(SEQUENCE, &[algorithm, value(OCTET_STRING, sha256)].concat());
    value(SEQUENCE, &[integer(1), imprint, integer(nonce), value(BOOLEAN, &[0xff])].concat())
}

impl TimeStampResponse {
    /// Reads a response in DER.
    ///
    /// # Errors
    /// [`TimeStampError::Malformed`], [`TimeStampError::Refused`], [`TimeStampError::Unsigned`],
    /// [`TimeStampError::OtherContent`], and [`TimeStampError::OtherDigest`] for a digest that is not SHA-256.
    pub fn read(response: &[u8]) -> Result<Self, TimeStampError> {
        let malformed = TimeStampError::Malformed;
        let mut outer = Values(response);
        let mut body = outer.enter(SEQUENCE).ok_or(malformed("the response"))?;
        if outer.next().is_some() || !outer.0.is_empty() {
            return Err(malformed("the response's end"));
        }
        let status = body.enter(SEQUENCE).and_then(|mut status| status.expect(INTEGER));
        match status.ok_or(malformed("the status"))? {
            [0 | 1] => {}
            [status] => return Err(TimeStampError::Refused((*status).into())),
            _ => return Err(malformed("the status")),
        }
        let (content, signers) = read_token(&mut body).ok_or(malformed("the token"))?;
        if body.next().is_some() || !body.0.is_empty() {
            return Err(malformed("the response's end"));
        }
        check_signer(content, signers)?;
        read_info(Values(content))
    }

    /// Whether it is for this digest and, where it is given, answers the request with this nonce.
    ///
    /// # Errors
    /// [`TimeStampError::OtherDigest`], [`TimeStampError::OtherNonce`].
    pub fn check(&self, sha256: &[u8; 32], nonce: Option<u64>) -> Result<(), TimeStampError> {
        if &self.sha256 != sha256 {
            return Err(TimeStampError::OtherDigest);
        }
        match (nonce, &self.nonce) {
            (Some(asked), Some(answered)) if value(INTEGER, answered) == integer(asked) => Ok(()),
            (Some(_), _) => Err(TimeStampError::OtherNonce),
            (None, _) => Ok(()),
        }
    }
}

/// The content that a signed token signs, and who signed it.
fn read_token<'a>(body: &mut Values<'a>) -> Option<(&'a [u8], Values<'a>)> {
    let mut token = body.enter(SEQUENCE)?;
    if token.expect(OBJECT_IDENTIFIER)? != SIGNED_DATA {
        return None;
    }
    let mut signed = token.enter(CONTEXT_0)?.enter(SEQUENCE)?;
    signed.expect(INTEGER)?;
    signed.expect(SET)?;
    let mut content = signed.enter(SEQUENCE)?;
    if content.expect(OBJECT_IDENTIFIER)? != TIME_STAMP_INFO {
        return None;
    }
    let content = content.enter(CONTEXT_0)?.expect(OCTET_STRING)?;
    // Certificates and revocation lists may come between.
    let signers = std::iter::from_fn(|| signed.next()).find(|(tag, _)| *tag == SET)?;
    signed.0.is_empty().then_some((content, Values(signers.1)))
}

/// Whether one signer signed this content (RFC 3161, section 2.4.2; RFC 5652, section 5.3).
fn check_signer(content: &[u8], mut signers: Values<'_>) -> Result<(), TimeStampError> {
    let mut signer = signers.enter(SEQUENCE).ok_or(TimeStampError::Unsigned)?;
    if !signers.0.is_empty() {
        return Err(TimeStampError::Unsigned);
    }
    let (attributes, algorithm) = read_signer(&mut signer).ok_or(TimeStampError::Unsigned)?;
    let digest = if algorithm == SHA_256 {
        Sha256::digest(content).to_vec()
    } else if algorithm == SHA_384 {
        Sha384::digest(content).to_vec()
    } else if algorithm == SHA_512 {
        Sha512::digest(content).to_vec()
    } else {
        return Err(TimeStampError::OtherContent);
    };
    let of = |kind: [u8; 9], tag, value: &[u8]| {
        let mut attributes = attributes;
        let mut attributes = std::iter::from_fn(|| attributes.enter(SEQUENCE));
        attributes.any(|mut attribute| {
            attribute.expect(OBJECT_IDENTIFIER) == Some(&kind[..])
                && attribute.enter(SET).and_then(|mut values| values.expect(tag)) == Some(value)
        })
    };
    let signs =
        of(CONTENT_TYPE, OBJECT_IDENTIFIER, &TIME_STAMP_INFO) && of(MESSAGE_DIGEST, OCTET_STRING, &digest);
    if signs { Ok(()) } else { Err(TimeStampError::OtherContent) }
}

/// A signer's signed attributes and the algorithm of the digest among them; `None` without a signature.
fn read_signer<'a>(signer: &mut Values<'a>) -> Option<(Values<'a>, &'a [u8])> {
    signer.expect(INTEGER)?;
    // Who it is, by name and number or by key.
    signer.next()?;
    let algorithm = signer.enter(SEQUENCE)?.expect(OBJECT_IDENTIFIER)?;
    let attributes = signer.enter(CONTEXT_0)?;
    signer.expect(SEQUENCE)?;
    (!signer.expect(OCTET_STRING)?.is_empty()).then_some((attributes, algorithm))
}

fn read_info(mut content: Values<'_>) -> Result<TimeStampResponse, TimeStampError> {
    let malformed = TimeStampError::Malformed;
    let mut info = content.enter(SEQUENCE).ok_or(malformed("the token's content"))?;
    let head = (info.expect(INTEGER), info.expect(OBJECT_IDENTIFIER));
    let (Some(_), Some(_)) = head else { return Err(malformed("the version and policy")) };
    let mut imprint = info.enter(SEQUENCE).ok_or(malformed("the message imprint"))?;
    let algorithm = imprint.enter(SEQUENCE).and_then(|mut algorithm| algorithm.expect(OBJECT_IDENTIFIER));
    let digest = imprint.expect(OCTET_STRING).ok_or(malformed("the message imprint"))?;
    let Ok(sha256) = <[u8; 32]>::try_from(digest) else { return Err(TimeStampError::OtherDigest) };
    if algorithm != Some(&SHA_256[..]) {
        return Err(TimeStampError::OtherDigest);
    }
    info.expect(INTEGER).ok_or(malformed("the serial number"))?;
    let time = info.expect(GENERALIZED_TIME).ok_or(malformed("the time"))?;
    let time = std::str::from_utf8(time).map_err(|_| malformed("the time"))?.to_owned();
    // Accuracy and ordering may precede the nonce; extensions and the authority's name may follow it.
    let mut nonce = None;
    while let Some((tag, content)) = info.next() {
        if tag == INTEGER {
            nonce = Some(content.to_vec());
        }
    }
    Ok(TimeStampResponse { sha256, time, nonce })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `openssl ts -query -sha256 -cert` writes for the digest of nothing, with the nonce put in by hand.
    #[test]
    fn the_request_is_as_openssl_writes_it() {
        let digest = [
            0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
            0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
        ];
        let mut expected = vec![0x30, 0x40, 0x02, 0x01, 0x01];
        expected.extend([
            0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01,
        ]);
        expected.extend([0x05, 0x00, 0x04, 0x20]);
        expected.extend(digest);
        expected.extend([0x02, 0x02, 0x00, 0xff, 0x01, 0x01, 0xff]);
        expected[1] = (expected.len() - 2) as u8;
        assert_eq!(time_stamp_request(&digest, 255), expected);
    }

    #[test]
    fn a_refusal_and_rubbish_are_told_apart() {
        // Status 2, "rejection", without a token.
        let refused = value(SEQUENCE, &value(SEQUENCE, &integer(2)));
        assert_eq!(TimeStampResponse::read(&refused), Err(TimeStampError::Refused(2)));
        let granted = value(SEQUENCE, &value(SEQUENCE, &integer(0)));
        assert_eq!(TimeStampResponse::read(&granted), Err(TimeStampError::Malformed("the token")));
        assert_eq!(TimeStampResponse::read(b"<html>"), Err(TimeStampError::Malformed("the response")));
        assert_eq!(TimeStampResponse::read(&[]), Err(TimeStampError::Malformed("the response")));
    }
}
