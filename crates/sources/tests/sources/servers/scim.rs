//! The Python package scim2-server, a service of its authors' own, in memory.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use super::{ReservedPort, Server};

/// The bearer token; no error and no log may show it.
pub const TOKEN: &str = "t0ken-of-the-service";

/// A running service.
pub struct Scim {
    pub folder: tempfile::TempDir,
    port: ReservedPort,
    _server: Server,
}

impl Scim {
    /// Starts the service if it is installed: the program that the variable MUSTER_SCIM2_SERVER names, else the one
    /// on the path.
    pub fn start(cursor: bool) -> Option<Self> {
        let program = std::env::var("MUSTER_SCIM2_SERVER").unwrap_or_else(|_| "scim2-server".to_owned());
        if Command::new(&program).arg("--help").output().is_err() {
            println!("SKIPPED: scim2-server is not installed");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("token"), TOKEN).unwrap();
        let port = ReservedPort::new();
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let mut command = Command::new(program);
        command.args(["--port", &port.number().to_string(), "--bearer-token", TOKEN]);
        if cursor {
            let yes = r#"{"supported": true}"#;
            let text = format!(
                r#"{{"schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
                "patch": {yes}, "changePassword": {yes}, "sort": {yes}, "etag": {yes},
                "bulk": {{"supported": false, "maxOperations": 0, "maxPayloadSize": 0}},
                "filter": {{"supported": true, "maxResults": 1000}}, "authenticationSchemes": [],
                "pagination": {{"cursor": true, "index": true, "defaultPaginationMethod": "index"}}}}"#
            );
            let path = folder.path().join("service.json");
            std::fs::write(&path, text).unwrap();
            command.arg("--service-provider-config").arg(path);
        }
        let child =
            command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        let mut server = Server(child);
        if cursor && server.ended_with("needs the cursor extra", &folder.path().join("log")) {
            println!("SKIPPED: scim2-server is installed without its extra `cursor`");
            return None;
        }
        server.await_port(port.number(), &folder.path().join("log"));
        Some(Self { folder, port, _server: server })
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/v2", self.port.number())
    }

    /// Creates a resource and gives its id.
    pub fn create(&self, path: &str, resource: &str) -> String {
        let answer = self.ask("POST", path, resource);
        assert!(answer.contains(" 201 "), "{answer}");
        answer.split("\"id\": \"").nth(1).unwrap().split('"').next().unwrap().to_owned()
    }

    /// What the service answers, headers and body, without the reader.
    pub fn ask(&self, method: &str, path: &str, resource: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port.number())).unwrap();
        write!(
            stream,
            "{method} /v2{path} HTTP/1.0\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {TOKEN}\r\n\
             Content-Type: application/scim+json\r\nContent-Length: {}\r\n\r\n{resource}",
            resource.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}
