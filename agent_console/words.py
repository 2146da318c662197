"""What codes are called on screen. Unknown codes are shown as they are."""

from __future__ import annotations

from ivr.domain.meanings import DISTRESS

ROLES = {
    "elder": "老人",
    "agent": "坐席",
    "family": "家属",
    "worker": "护理员",
    "hospital": "医院",
    "supervisor": "值班",
}
LEG_STATES = {
    "waiting": "等待拨打",
    "dialled": "正在拨打",
    "ringing": "正在振铃",
    "answered": "已接听，待确认",
    "accepted": "通话中",
    "ended": "已结束",
}
OUTCOMES = {
    "talked": "已通话",
    "busy": "占线",
    "no_answer": "无人接听",
    "declined": "对方拒绝",
    "not_confirmed": "接听但未确认（可能是语音信箱）",
    "unreachable": "无法接通",
    "failed": "呼叫失败",
    "cancelled": "已取消（他人先接）",
    "hung_up": "已挂断",
    "lost": "结果不明，将重拨",
}
SEATS = {"ready": ("就绪", "Ready"), "paused": ("小休", "Paused"), "away": ("离席", "Away")}
DEVICES = {
    "idle": "空闲",
    "ringing": "振铃",
    "in_use": "通话中",
    "unavailable": "话机不在线",
    "unknown": "话机状态未知",
}
USER_ROLES = {"agent": "坐席", "supervisor": "班长", "admin": "管理员", "auditor": "审计"}
ALARM_KINDS = {
    "one_key": "一键呼救",
    "press": "按键呼救",
    "button": "按键呼救",
    "sos": "紧急呼救",
    "pendant": "随身呼救器",
    "fall": "跌倒报警",
    "smoke": "烟雾报警",
    "gas": "燃气报警",
    "radar": "雷达报警",
    "inactivity": "长时间无活动",
    "call": "紧急来电",
    "emergency": "紧急来电",
    "emergency_call": "紧急来电",
    "lifeline": "生命线来电",
    "worse": "情况加重",
    "location": "定位",
    "cancel": "设备取消（须核实）",
}
SOURCES = {
    "call": "电话",
    "phone": "电话",
    "lifeline": "生命线（引擎中断期间）",
    "listening": "等候时听到求救",
    "recall": "回访老人",
    "api": "接口",
    "demo": "演示",
    "console": "控制台",
}
CLOSE_OUTCOMES = {
    "helped": "已得到帮助",
    "family": "家属已接手",
    "ambulance": "已转 120",
    "false_alarm": "误报",
    "test": "测试",
    "other": "其他",
    "safe": "本人确认平安",
}
EVENTS = {
    "incident.opened": "事件开启",
    "incident.alarm_joined": "又一次报警并入",
    "incident.escalated": "升级",
    "incident.looked_at": "已查看",
    "incident.family_started": "开始联系亲属",
    "incident.family_cancelled": "取消联系亲属（误按）",
    "incident.closed": "事件关闭",
    "incident.helper_wanted": "请求派护理员",
    "incident.worsened": "情况加重",
    "incident.arrived": "有人到达现场",
    "leg.wanted": "要求接通",
    "leg.given_up": "多次未接通，不再拨打",
    "package.queued": "准备发送资料",
    "package.sent": "资料已送达",
    "package.failed": "资料未送达",
    "incident.identified": "确认老人身份",
    "incident.triaged": "自动询问结果",
    "leg.dialled": "拨打",
    "leg.ringing": "振铃",
    "leg.answered": "接听",
    "leg.accepted": "进入通话",
    "leg.declined": "拒绝",
    "leg.ended": "结束",
    "call.arrived": "来电",
    "call.answered": "系统应答",
    "call.queued": "进入排队",
    "call.connected": "坐席接通",
    "call.abandoned": "主叫放弃",
    "call.ended": "来电结束",
    "call.parked": "因紧急呼叫被搁置",
    "call.returned": "回到坐席",
    "file.viewed": "查看档案",
    "file.searched": "查找老人",
    "recording.started": "开始录音",
    "recording.ended": "录音结束",
    "recording.removed": "录音到期删除",
    "incident.exported": "导出记录",
    "speech.heard": "听到",
}
# Ids of `ivr/speech/grammars`: a ticket's category (`service.*`) and what was heard of a caller who waits.
MEANINGS = {
    "service.meal": "助餐",
    "service.bath": "助浴",
    "service.cleaning": "助洁",
    "service.medical": "助医",
    "service.mobility": "助行",
    "service.urgent_help": "助急（修理等）",
    "service.shopping": "助购",
    "service.company": "助聊",
    "service.learning": "助学",
    "service.leisure": "助乐",
    "service.hair": "理发修脚",
    "service.care": "护理照料",
    "service.complaint": "投诉意见",
    "service.enquiry": "咨询",
    "service.person": "找人工",
    **DISTRESS,
}
ATTENTION = {
    "unattended": "无人接手",
    "present": "坐席在线",
    "handled": "已处理，待关闭",
    "safe": "平安，待关闭",
}
TRIAGE = {
    "pending": "待询问",
    "calling": "正在询问",
    "safe": "平安",
    "help": "需要帮助",
    "silent": "无声",
    "no_answer": "未接通",
}
PARTS = {"asterisk": "Asterisk", "engine": "电话引擎", "database": "数据库", "speech": "语音识别", "trunk": "中继线路"}
WHYS = {
    "duty_phone": "呼叫值班电话",
    "family_not_reached": "家属均未接通",
    "supervisor": "呼叫值班长",
    "on_call": "呼叫备勤手机",
    "hospital": "呼叫医院或 120",
    "worse": "老人说更难受了",
    "silent": "老人没有出声",
    "not_understood": "没有听清老人的话",
    "no_answer": "老人没有接电话",
    "propose_120": "两分钟没有人和老人说上话，建议拨打 120",
    "worker_late": "还没有护理员答应上门",
    "worker_not_reached": "护理员均未接通",
    "package_not_delivered": "资料发送失败，请口头告知医院",
    "age": "保存期满",
}
