"""The four examples of the SDK's documentation page for version 2024; python_sdk.py runs them.

The names in braces are the module paths and the method suffix, which is all that differs between the versions of the SDK.
"""

EXAMPLES = {
    "start": """
from {api_module} import ReportsDataExtractionApi
from {client_module} import ApiClient
from {models_module}.report_details import ReportDetails
from {models_module}.task_result_details import TaskResultDetails
from sailpoint.configuration import Configuration
configuration = Configuration()

with ApiClient(configuration) as api_client:
    report_details = '''{{
          "reportType" : "ACCOUNTS",
          "arguments" : {{
            "application" : "2c9180897e7742b2017e781782f705b9",
            "sourceName" : "Active Directory"
          }}
        }}''' # ReportDetails |
    try:
        # Run Report
        new_report_details = ReportDetails.from_json(report_details)
        results = ReportsDataExtractionApi(api_client).start_report{suffix}(report_details=new_report_details)
        print("The response of ReportsDataExtractionApi->start_report:\\n")
        print(results.model_dump_json(by_alias=True, indent=4))
    except Exception as e:
        print("Exception when calling ReportsDataExtractionApi->start_report: %s\\n" % e)
""",
    "result": """
from {api_module} import ReportsDataExtractionApi
from {client_module} import ApiClient
from {models_module}.report_results import ReportResults
from sailpoint.configuration import Configuration
configuration = Configuration()

with ApiClient(configuration) as api_client:
    task_result_id = '{id}' # str | Unique identifier of the task result which handled report
    completed = False # bool | state of task result to apply ordering when results are fetching from the DB
    try:
        # Get Report Result
        results = ReportsDataExtractionApi(api_client).get_report_result{suffix}(task_result_id=task_result_id)
        print("The response of ReportsDataExtractionApi->get_report_result:\\n")
        print(results.model_dump_json(by_alias=True, indent=4))
    except Exception as e:
        print("Exception when calling ReportsDataExtractionApi->get_report_result: %s\\n" % e)
""",
    "download": """
from {api_module} import ReportsDataExtractionApi
from {client_module} import ApiClient
from sailpoint.configuration import Configuration
configuration = Configuration()

with ApiClient(configuration) as api_client:
    task_result_id = '{id}' # str | Unique identifier of the task result which handled report
    file_format = 'csv' # str | Output format of the requested report file
    name = 'Identities Details Report' # str | preferred Report file name
    auditable = False # bool | Enables auditing for current report download
    try:
        # Get Report File
        results = ReportsDataExtractionApi(api_client).get_report{suffix}(task_result_id=task_result_id, file_format=file_format)
        print("The response of ReportsDataExtractionApi->get_report:\\n")
        print(results.model_dump_json(by_alias=True, indent=4))
    except Exception as e:
        print("Exception when calling ReportsDataExtractionApi->get_report: %s\\n" % e)
""",
    "cancel": """
from {api_module} import ReportsDataExtractionApi
from {client_module} import ApiClient
from sailpoint.configuration import Configuration
configuration = Configuration()

with ApiClient(configuration) as api_client:
    id = '{id}' # str | ID of the running Report to cancel
    try:
        # Cancel Report
        ReportsDataExtractionApi(api_client).cancel_report{suffix}(id=id)
    except Exception as e:
        print("Exception when calling ReportsDataExtractionApi->cancel_report: %s\\n" % e)
""",
}
