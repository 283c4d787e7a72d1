//! Secrets at rest: channel tokens are encrypted with a key that is not in the database
//! (ChaCha20-Poly1305, RFC 8439). Each secret is bound to its integration: moved to another row,
//! it does not open.

use std::sync::Arc;

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;
use switchboard_model::{Environment, Error, IntegrationId, Result};
use switchboard_store::SealedSecret;

use crate::keys;

/// Seals and opens secrets. Cheap to clone.
#[derive(Clone)]
pub struct Vault {
    key: Arc<LessSafeKey>,
    /// Made of the same key, for another use.
    signer: Arc<hmac::Key>,
}

impl Vault {
    /// The key's length in bytes.
    pub const KEY_LEN: usize = 32;

    /// With this key.
    pub fn new(key: &[u8; Self::KEY_LEN]) -> Result<Self> {
        let seed = hmac::sign(
            &hmac::Key::new(hmac::HMAC_SHA256, key),
            b"switchboard signatures",
        );
        let key = UnboundKey::new(&CHACHA20_POLY1305, key)
            .map_err(|_| Error::internal("the encryption key was refused"))?;
        Ok(Self {
            key: Arc::new(LessSafeKey::new(key)),
            signer: Arc::new(hmac::Key::new(hmac::HMAC_SHA256, seed.as_ref())),
        })
    }

    /// A signature that nobody can make without the key (HMAC-SHA256, RFC 2104, its first 16 bytes
    /// in hexadecimal digits): for addresses that must not be guessed. The same for the same text,
    /// after a restart too.
    pub fn sign(&self, integration: IntegrationId, text: &str) -> String {
        let mut context = hmac::Context::with_key(&self.signer);
        context.update(&integration.to_bytes());
        context.update(text.as_bytes());
        keys::hex(&context.sign().as_ref()[..16])
    }

    /// Encrypts the secret of an integration.
    pub fn seal(
        &self,
        env: &Environment,
        integration: IntegrationId,
        secret: &str,
    ) -> Result<SealedSecret> {
        let mut nonce = [0; NONCE_LEN];
        env.fill(&mut nonce);
        let mut sealed = secret.as_bytes().to_vec();
        self.key
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(integration.to_bytes()),
                &mut sealed,
            )
            .map_err(|_| Error::internal("a secret could not be encrypted"))?;
        Ok(SealedSecret([nonce.as_slice(), &sealed].concat()))
    }

    /// Decrypts the secret of an integration. A failure says what to do about the key.
    pub fn open(&self, integration: IntegrationId, secret: &SealedSecret) -> Result<String> {
        let wrong = || Error::Unavailable {
            reason: format!(
                "the secret of {integration} does not open with this encryption key; \
                 bring back the key, or set the channel token again"
            ),
        };
        let (nonce, sealed) = secret.0.split_at_checked(NONCE_LEN).ok_or_else(wrong)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| wrong())?;
        let mut clear = sealed.to_vec();
        let clear = self
            .key
            .open_in_place(nonce, Aad::from(integration.to_bytes()), &mut clear)
            .map_err(|_| wrong())?;
        String::from_utf8(clear.to_vec()).map_err(|_| wrong())
    }
}

#[cfg(test)]
mod tests {
    use switchboard_model::{Clock, Random, Timestamp};

    use super::*;

    struct Zero;
    impl Clock for Zero {
        fn now(&self) -> Timestamp {
            Timestamp::default()
        }
    }
    impl Random for Zero {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(7);
        }
    }

    #[test]
    fn a_secret_opens_only_with_its_key_and_its_integration() {
        let env = Environment::new(Zero, Zero);
        let (one, two) = (
            IntegrationId::new(env.ulid()),
            IntegrationId::new(env.ulid()),
        );
        let vault = Vault::new(&[1; 32]).unwrap();
        let sealed = vault.seal(&env, one, "123:abc").unwrap();
        assert!(!sealed.0.windows(7).any(|window| window == b"123:abc"));
        assert_eq!(vault.open(one, &sealed).unwrap(), "123:abc");
        assert!(vault.open(two, &sealed).is_err());
        assert!(Vault::new(&[2; 32]).unwrap().open(one, &sealed).is_err());
        assert!(vault.open(one, &SealedSecret(vec![1, 2])).is_err());
    }

    #[test]
    fn a_signature_is_the_same_again_and_another_for_another_text_integration_or_key() {
        let env = Environment::new(Zero, Zero);
        let one = IntegrationId::new(env.ulid());
        let two: IntegrationId = "int_01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap();
        let vault = Vault::new(&[1; 32]).unwrap();
        let signature = vault.sign(one, "a");
        assert_eq!(signature.len(), 32);
        assert_eq!(signature, Vault::new(&[1; 32]).unwrap().sign(one, "a"));
        assert_ne!(signature, vault.sign(one, "b"));
        assert_ne!(signature, vault.sign(two, "a"));
        assert_ne!(signature, Vault::new(&[2; 32]).unwrap().sign(one, "a"));
    }
}
