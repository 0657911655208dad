//! What a person copies to try the running demo.

use crate::commands::client::Created;
use std::path::Path;

/// Base URL, a link that signs in to the console once, credentials, and lines for curl and for the published Python SDK.
pub fn text(
    base_url: &str,
    console: Option<&str>,
    user: &Created,
    application: &Created,
    dir: &Path,
) -> String {
    let Created { id, secret, .. } = user;
    let console = console.map_or_else(String::new, |link| {
        format!(
            "\nThe console: {base_url}/\nThis link signs in as the user below. It works once:\n\n  {link}\n"
        )
    });
    format!(
        r#"{console}
Serving {base_url} until Ctrl-C.

  user credential (may do everything)      {id}
                                           {secret}
  application credential (may not cancel)  {app_id}
                                           {app_secret}

Set these first; the published Python SDK reads the same variables:

  export SAIL_BASE_URL={base_url}
  export SAIL_CLIENT_ID={id}
  export SAIL_CLIENT_SECRET={secret}

With curl:

  TOKEN=$(curl -s $SAIL_BASE_URL/oauth/token -d grant_type=client_credentials \
      -d client_id=$SAIL_CLIENT_ID -d client_secret=$SAIL_CLIENT_SECRET \
      | sed 's/.*"access_token":"\([^"]*\)".*/\1/')
  curl -s $SAIL_BASE_URL/v2024/reports/run -H "Authorization: Bearer $TOKEN" \
      -H 'Content-Type: application/json' -d '{{"reportType": "IDENTITIES", "arguments": {{"correlatedOnly": false}}}}'

With Python (pip install sailpoint):

  import time
  from sailpoint.configuration import Configuration
  from sailpoint.reports_data_extraction.api.reports_data_extraction_api import ReportsDataExtractionApi
  from sailpoint.reports_data_extraction.api_client import ApiClient
  from sailpoint.reports_data_extraction.models.report_details import ReportDetails

  with ApiClient(Configuration()) as client:
      reports = ReportsDataExtractionApi(client)
      details = '{{"reportType": "ACCOUNTS", "arguments": {{"application": "2c9180897e7742b2017e781782f705b9", "sourceName": "Active Directory"}}}}'
      task = reports.start_report_v1(ReportDetails.from_json(details))
      while (result := reports.get_report_result_v1(task.id)).status is None:
          time.sleep(0.2)
      print(result.status, result.rows, "rows in", reports.get_report_v1(task.id, "csv"))

With this program, in another terminal:

  export MUSTER_BASE_URL={base_url} MUSTER_CLIENT_ID={id} MUSTER_CLIENT_SECRET={secret}
  muster report run ORPHAN_IDENTITIES --wait
  muster source list --data {dir}
"#,
        app_id = application.id,
        app_secret = application.secret,
        dir = dir.display(),
    )
}
