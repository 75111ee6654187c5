//! Settings that may be secrets: known by name until the moment they are used.

use http::HeaderValue;
use url::Url;

use crate::run::{SecretUse, Secrets, ToolError};
use crate::value::ErrorKind;

/// A text of the configuration: as it stands, or a secret's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setting {
    /// Written out.
    Plain(String),
    /// The name of a secret.
    Secret(String),
}

impl Setting {
    /// The name of the secret, if it is one.
    pub fn secret(&self) -> Option<&str> {
        match self {
            Self::Plain(_) => None,
            Self::Secret(name) => Some(name),
        }
    }

    /// What it stands for, for this use.
    ///
    /// # Errors
    /// `denied`, undelivered: the secret is missing, or not for this use.
    pub fn resolve(&self, secrets: &dyn Secrets, of: SecretUse<'_>) -> Result<String, ToolError> {
        match self {
            Self::Plain(text) => Ok(text.clone()),
            Self::Secret(name) => secret(name, secrets, of),
        }
    }

    /// As the value of a header to this address; a secret is marked as sensitive.
    ///
    /// # Errors
    /// As [`Setting::resolve`], and `denied` where no header may hold it.
    pub fn header(&self, secrets: &dyn Secrets, to: &Url) -> Result<HeaderValue, ToolError> {
        let text = self.resolve(secrets, host(to))?;
        let mut header = HeaderValue::from_str(text.trim()).map_err(|_| unfit(self.secret()))?;
        header.set_sensitive(self.secret().is_some());
        Ok(header)
    }
}

/// `Bearer …` with a secret, for the `Authorization` of a request to this address.
///
/// # Errors
/// `denied`, undelivered: the secret is missing, not for this host, or nothing that a header may hold.
pub fn bearer(name: &str, secrets: &dyn Secrets, to: &Url) -> Result<HeaderValue, ToolError> {
    let token = secret(name, secrets, host(to))?;
    let mut header = HeaderValue::from_str(&format!("Bearer {}", token.trim())).map_err(|_| unfit(Some(name)))?;
    header.set_sensitive(true);
    Ok(header)
}

/// A secret by its name, for this use.
///
/// # Errors
/// `denied`, undelivered: it is missing, or not for this use.
pub fn secret(name: &str, secrets: &dyn Secrets, of: SecretUse<'_>) -> Result<String, ToolError> {
    secrets.resolve(name, of).map_err(denied)
}

/// The use of a secret that is sent to this address.
pub fn host(to: &Url) -> SecretUse<'_> {
    SecretUse::Host(to.host_str().unwrap_or_default())
}

fn unfit(name: Option<&str>) -> ToolError {
    denied(match name {
        Some(name) => format!("the secret `{name}` holds a character that no header may"),
        None => "a configured header holds a character that no header may".to_owned(),
    })
}

fn denied(why: String) -> ToolError {
    ToolError::new(ErrorKind::Denied, why).undelivered()
}
