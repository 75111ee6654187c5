//! A signed assertion of who we are (RFC 7523, section 2.2).

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::{Value as Json, json};

use super::denied;
use crate::run::ToolError;

/// How long it is good, in seconds.
const LIFE: i64 = 300;

/// The assertion for an authorization server, signed with a key in PEM (PKCS #8).
pub(super) fn assertion(pem: &str, client: &str, audience: &str) -> Result<String, ToolError> {
    let key = Key::read(pem)?;
    #[allow(clippy::disallowed_methods, reason = "another machine looks at it, by the time of day")]
    let now = jiff::Timestamp::now().as_second();
    let claims = json!({
        "iss": client, "sub": client, "aud": audience, "iat": now, "exp": now + LIFE, "jti": random()?,
    });
    let part = |json: &Json| URL_SAFE_NO_PAD.encode(json.to_string());
    let signed = format!("{}.{}", part(&json!({ "alg": key.algorithm(), "typ": "JWT" })), part(&claims));
    Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(key.sign(signed.as_bytes())?)))
}

/// 256 random bits as text.
pub(super) fn random() -> Result<String, ToolError> {
    let mut bytes = [0; 32];
    SystemRandom::new().fill(&mut bytes).map_err(|_| denied("this machine has no random numbers"))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

enum Key {
    P256(EcdsaKeyPair),
    Rsa(RsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl Key {
    fn read(pem: &str) -> Result<Self, ToolError> {
        let body: String = pem.lines().map(str::trim).filter(|line| !line.starts_with("-----")).collect();
        let unread = || denied("the private key is no PKCS #8 in PEM of P-256, RSA or Ed25519");
        let der = STANDARD.decode(body).map_err(|_| unread())?;
        let p256 = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der, &SystemRandom::new());
        p256.map(Self::P256)
            .or_else(|_| RsaKeyPair::from_pkcs8(&der).map(Self::Rsa))
            .or_else(|_| Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).map(Self::Ed25519))
            .map_err(|_| unread())
    }

    fn algorithm(&self) -> &'static str {
        match self {
            Self::P256(_) => "ES256",
            Self::Rsa(_) => "RS256",
            Self::Ed25519(_) => "EdDSA",
        }
    }

    fn sign(&self, text: &[u8]) -> Result<Vec<u8>, ToolError> {
        let failed = |_| denied("the private key cannot sign");
        let random = SystemRandom::new();
        match self {
            Self::P256(key) => Ok(key.sign(&random, text).map_err(failed)?.as_ref().to_vec()),
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, text, &mut signature).map_err(failed)?;
                Ok(signature)
            }
            Self::Ed25519(key) => Ok(key.sign(text).as_ref().to_vec()),
        }
    }
}

#[cfg(test)]
mod tests {
    use ring::signature::{ECDSA_P256_SHA256_FIXED, KeyPair, UnparsedPublicKey};

    use super::*;

    #[test]
    fn an_assertion_is_signed() {
        let random = SystemRandom::new();
        let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).expect("a key");
        let pem =
            format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(made.as_ref()));
        let told = assertion(&pem, "us", "https://as.example").expect("an assertion");
        let (signed, signature) = told.rsplit_once('.').expect("a signature");
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).expect("base64");
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, made.as_ref(), &random).expect("a key");
        let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key.public_key().as_ref());
        public.verify(signed.as_bytes(), &decode(signature)).expect("a good signature");
        let (_, claims) = signed.split_once('.').expect("claims");
        let claims: Json = serde_json::from_slice(&decode(claims)).expect("JSON");
        assert_eq!(
            (&claims["iss"], &claims["sub"], &claims["aud"]),
            (&json!("us"), &json!("us"), &json!("https://as.example"))
        );
        assert!(assertion("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "us", "x").is_err());
    }
}
