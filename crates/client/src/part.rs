//! How the parts of the API are made: alone, or from what they share.

/// Makes a part alone, or with the transport of others.
macro_rules! part {
    ($name:ident) => {
        impl $name {
            /// This part of the API of the service that `configuration` names, alone. [`crate::Client`] has parts that share
            /// connections and token.
            ///
            /// # Errors
            /// [`crate::Error::Configuration`].
            pub fn new(configuration: crate::Configuration) -> Result<Self, crate::Error> {
                Ok(Self::with(std::sync::Arc::new(crate::transport::Transport::new(configuration)?)))
            }

            pub(crate) fn with(transport: std::sync::Arc<crate::transport::Transport>) -> Self {
                Self { transport }
            }
        }
    };
}

pub(crate) use part;
