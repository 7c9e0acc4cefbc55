//! Where a platform stands: its port, what it saw, what it was told to do and to tell.

/// Makes the public face of a platform `$inner`, whose `memory` has `statuses`.
macro_rules! stand {
    ($(#[$doc:meta])* $name:ident: $inner:ident) => {
        $(#[$doc])*
        pub struct $name {
            counter: $crate::providers::Counter<$inner>,
            /// Lives as long as the platform does.
            _server: $crate::providers::Server,
        }

        impl $name {
            /// Starts on a port of the loopback; 0 takes a free one.
            ///
            /// # Errors
            /// If the port is taken.
            pub async fn start(port: u16, settings: Settings) -> anyhow::Result<Self> {
                let platform = $inner { settings, http: reqwest::Client::new(), memory: Mutex::default() };
                let counter = $crate::providers::Counter { platform: Arc::new(platform), book: Arc::default() };
                let server = $crate::providers::Server::start(port, counter.router()).await?;
                locked(&counter.platform.memory).address = format!("http://{}", server.address());
                Ok(Self { counter, _server: server })
            }

            /// Every request so far, in order.
            pub fn seen(&self) -> Vec<$crate::providers::Seen> {
                self.counter.book.seen()
            }

            /// The next `times` requests meet this fault; scripts follow each other.
            pub fn script(&self, fault: $crate::providers::Fault, times: usize) {
                self.counter.book.script(fault, times);
            }

            /// What is told of messages taken from now on, of what the platform can tell.
            pub fn tell(&self, statuses: Statuses) {
                locked(&self.counter.platform.memory).statuses = statuses;
            }
        }

        struct $inner {
            settings: Settings,
            http: reqwest::Client,
            memory: Mutex<Memory>,
        }
    };
}

/// Lets a test say whom the platform `$name` cannot reach, and when somebody last wrote, where its memory
/// has `unknown` and `wrote_ms`.
macro_rules! people {
    ($name:ident) => {
        impl $name {
            /// There is no such person here.
            pub fn forget(&self, recipient: &str) {
                locked(&self.counter.platform.memory).unknown.insert(recipient.to_owned());
            }

            /// This person last wrote to the account then; of whom this was never said, the window is open.
            pub fn wrote(&self, account: &str, person: &str, at_ms: i64) {
                let key = (account.to_owned(), person.to_owned());
                locked(&self.counter.platform.memory).wrote_ms.insert(key, at_ms);
            }

            /// The app that the token belongs to, as operators are told of it.
            pub fn register(&self, app: $crate::providers::App) {
                locked(&self.counter.platform.memory).app = app;
            }

            /// What an account's `api_url` must be.
            pub fn api_url(&self) -> String {
                format!("{}/v25.0", locked(&self.counter.platform.memory).address)
            }
        }
    };
}

pub(super) use {people, stand};
